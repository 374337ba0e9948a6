"""An aiohttp application on a port, with limits: discovery, metrics and health.

Admission and STS, where a request's cost matters, have `irsa.runtime.port`.
"""

import asyncio
import logging
import ssl
from typing import Any, Final, cast

from aiohttp import web, web_runner
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger

# The API server drops idle webhook connections after 90 s and pools keep them; we must not be first.
KEEPALIVE_SECONDS: Final = 120.0
LINE_LIMIT: Final = 8190  # bytes of request line, and of one header
HANDSHAKE_SECONDS: Final = 10.0
LINGER_SECONDS: Final = 2.0  # discarding what still comes of a body that was refused, so that the answer is not lost
FIRST_SECONDS: Final = 10.0  # until the head of a connection's first request is there


async def listen(
    app: web.Application,
    *,
    port: int,
    host: str | None = None,
    context: ssl.SSLContext | None = None,
    line_limit: int = LINE_LIMIT,
    keepalive: float = KEEPALIVE_SECONDS,
    connections: int | None = None,
    drain_seconds: float = 10.0,
    handshake_seconds: float = HANDSHAKE_SECONDS,
) -> tuple[web.AppRunner, int]:
    """Serve `app`; `port` 0 takes a free one. Returns the runner (its `cleanup` drains and closes) and the port.

    Beyond `connections` at once a new one is closed without a word, so that those which are open go on.

    Raises:
        OSError: the port is taken or not allowed.
    """
    server_logger.addFilter(_malformed)  # adding it again adds nothing
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=keepalive,
        lingering_time=LINGER_SECONDS,
        max_line_size=line_limit,
        max_field_size=line_limit,
        shutdown_timeout=drain_seconds,
        handler_cancellation=False,
    )
    await runner.setup()
    try:
        site = _Site(runner, host, port, ssl_context=context, connections=connections, handshake=handshake_seconds)
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])


def _malformed(record: logging.LogRecord) -> bool:
    """What is no HTTP is the client's fault: one line, and no trace that anybody could have us write without end."""
    if record.exc_info and isinstance(problem := record.exc_info[1], HttpProcessingError):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = "malformed request: %s", (problem.message.partition("\n")[0][:128],)
        record.exc_info = record.exc_text = None
    return True


class _Site(web.TCPSite):
    """What `TCPSite` does not know: how many connections, and how long a handshake may take."""

    __slots__ = ("_connections", "_handshake")

    def __init__(
        self,
        runner: web.AppRunner,
        host: str | None,
        port: int,
        *,
        ssl_context: ssl.SSLContext | None,
        connections: int | None,
        handshake: float,
    ) -> None:
        super().__init__(runner, host, port, ssl_context=ssl_context, reuse_address=True)
        self._connections = connections
        self._handshake = handshake

    async def start(self) -> None:
        await web_runner.BaseSite.start(self)
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol,
            self._host,
            self._port,
            ssl=self._ssl_context,
            backlog=self._backlog,
            reuse_address=True,
            ssl_handshake_timeout=self._handshake if self._ssl_context else None,
        )

    def _protocol(self) -> asyncio.BaseProtocol:
        server = cast("Any", self._runner.server)
        if self._connections is not None and len(server.connections) >= self._connections:
            return _Refused()
        handler = server()
        asyncio.get_running_loop().call_later(FIRST_SECONDS, _close_silent, handler)
        return cast("asyncio.BaseProtocol", handler)


def _close_silent(handler: Any) -> None:  # noqa: ANN401 -- aiohttp's, which does not tell its count
    """Close a connection without a whole head yet; aiohttp itself waits for it as long as for the next request."""
    if not handler._request_count:  # noqa: SLF001
        handler.force_close()


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
