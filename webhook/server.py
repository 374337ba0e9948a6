"""The admission endpoint as an aiohttp application: `POST /mutate`, and health on the same port."""

from typing import Final

from aiohttp import web

from irsa.runtime import health
from webhook.admission import Admission, Reply

BODY_LIMIT: Final = (
    7 * 1024 * 1024
)  # bytes: an object of etcd's 1.5 MB twice, JSON-escaped, with room; as controller-runtime

ADMISSION: Final = web.AppKey("admission", Admission)


def application(admission: Admission, readiness: health.Readiness) -> web.Application:
    """The application behind the TLS port."""
    app = web.Application(client_max_size=BODY_LIMIT)
    app[ADMISSION] = admission
    app.add_routes([web.post("/mutate", mutate), *health.routes(readiness)])
    return app


async def mutate(request: web.Request) -> web.Response:
    """Answer an AdmissionReview."""
    if request.content_type != "application/json":
        return web.Response(status=415, text="Invalid Content-Type, expected `application/json`\n")
    answer = request.app[ADMISSION].begin(await request.read())
    reply = answer if isinstance(answer, Reply) else await answer
    return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)
