"""The documents over HTTP: GET and HEAD of two paths an issuer, and nothing else.

Who asks and which host was asked for do not matter: what is served depends on the path alone.
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web
from prometheus_client import Counter

from oidc.discovery import DISCOVERY_PATH, JWKS_PATH
from oidc.documents import Document, unchanged
from oidc.publisher import Publisher

REQUESTS: Final = Counter("irsa_oidc_requests_total", "Requests by document and status.", ["document", "code"])
HSTS: Final = "max-age=31536000"


def application(publishers: Mapping[str, Publisher], *, max_age: int, tls: bool) -> web.Application:
    """The application that serves `publishers`, each below the path that is its key (`""` is the root)."""
    fixed = {"X-Content-Type-Options": "nosniff", **({"Strict-Transport-Security": HSTS} if tls else {})}

    async def prepare(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(fixed)
        response.headers.popall(hdrs.SERVER, None)  # what we are made of is nobody's business

    app = web.Application()
    app.on_response_prepare.append(prepare)
    for prefix, publisher in publishers.items():
        for name, path in (("discovery", DISCOVERY_PATH), ("jwks", JWKS_PATH)):
            app.router.add_get(prefix + path, Resource(name, publisher, max_age).answer)
    return app


class Resource:
    """The handler of one document; aiohttp answers 404 and 405 for all that has none."""

    def __init__(self, name: str, publisher: Publisher, max_age: int) -> None:
        self._name, self._publisher, self._max_age = name, publisher, max_age

    async def answer(self, request: web.Request) -> web.Response:
        """200, 304, or 503 while there is no document yet."""
        published = self._publisher.published
        if published is None:
            return self._counted(web.Response(status=503, headers={"Retry-After": "5"}, text="no document yet\n"))
        document: Document = getattr(published, self._name)
        headers = document.headers(self._max_age)
        if unchanged(document, request.headers.get(hdrs.IF_NONE_MATCH), request.headers.get(hdrs.IF_MODIFIED_SINCE)):
            return self._counted(web.Response(status=304, headers=headers))
        headers[hdrs.CONTENT_TYPE] = document.content_type
        return self._counted(web.Response(body=document.body, headers=headers))

    def _counted(self, response: web.Response) -> web.Response:
        REQUESTS.labels(self._name, response.status).inc()
        return response
