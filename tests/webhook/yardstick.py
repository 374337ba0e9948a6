"""The admission port as an aiohttp server: what the listener of our own is measured by.

Routes, words and limits are the same; the parsing, the reading and the writing are aiohttp's.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from aiohttp import http_exceptions, web

from irsa.runtime.health import Readiness
from webhook import routes
from webhook.routes import BODY_LIMIT, HEAD_LIMIT, TEXT, Reply, Target


def _response(reply: Reply) -> web.Response:
    headers = {"Content-Type": reply.content_type} | ({"Allow": reply.allow} if reply.allow else {})
    return web.Response(status=reply.status, body=reply.body, headers=headers)


class _Handler(web.RequestHandler):
    # As it comes, aiohttp answers nobody who has closed his half; in HTTP/1.1 that is no reason not to.
    def eof_received(self) -> bool:
        self._loop.call_soon(self.close)
        self._loop.call_later(1, self.force_close)  # what he has not sent of a request does not come any more
        return True

    # aiohttp's own words would tell of its parser.
    def handle_error(
        self, _request: Any, status: int = 500, exc: Any = None, _message: Any = None
    ) -> web.StreamResponse:
        if isinstance(exc, http_exceptions.LineTooLong):
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        response = _response(routes.problem(HTTPStatus(status)))
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class Yardstick:
    """The same service as `webhook.listener.Listener`."""

    def __init__(self, review: Callable[[bytes], Reply | Awaitable[Reply]], readiness: Readiness) -> None:
        self.review = review
        self.readiness = readiness

    @asynccontextmanager
    async def listen(
        self, port: int, context: ssl.SSLContext | None = None, host: str | None = None
    ) -> AsyncIterator[int]:
        """Serve while the body runs; gives the port."""
        server = _Server(
            self._answer,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
            keepalive_timeout=120,
            lingering_time=1,
            access_log=None,
        )
        runner = web.ServerRunner(server)
        await runner.setup()
        await web.TCPSite(runner, host, port, ssl_context=context).start()
        try:
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.version < (1, 0):
            return _response(routes.problem(HTTPStatus.BAD_REQUEST))
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        target = routes.route(request.method, request.raw_path, request.headers.get("Content-Type", ""))
        too_large = (request.content_length or 0) > BODY_LIMIT
        body = bytearray()
        while not too_large and (part := await request.content.readany()):
            body += part
            too_large = len(body) > BODY_LIMIT
        if too_large:
            response = _response(routes.problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            response.force_close()
            return response
        if isinstance(target, Reply):
            return _response(target)
        if target is Target.REVIEW:
            answer = self.review(bytes(body))
            return _response(answer if isinstance(answer, Reply) else await answer)
        if target is Target.LIVE:
            return _response(Reply(200, b"ok\n", TEXT))
        return _response(Reply(200 if self.readiness.ready else 503, self.readiness.explanation().encode(), TEXT))
