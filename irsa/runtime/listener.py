"""An aiohttp application on a port, with the limits that every server here keeps."""

import ssl
from typing import Final

from aiohttp import web

# The API server drops idle webhook connections after 90 s and pools keep them; we must not be first.
KEEPALIVE_SECONDS: Final = 120.0
LINE_LIMIT: Final = 8190  # bytes of request line, and of one header


async def listen(
    app: web.Application,
    *,
    port: int,
    host: str | None = None,
    context: ssl.SSLContext | None = None,
    line_limit: int = LINE_LIMIT,
    drain_seconds: float = 10.0,
) -> tuple[web.AppRunner, int]:
    """Serve `app`; `port` 0 takes a free one. Returns the runner (its `cleanup` drains and closes) and the port.

    Raises:
        OSError: the port is taken or not allowed.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        max_line_size=line_limit,
        max_field_size=line_limit,
        shutdown_timeout=drain_seconds,
        handler_cancellation=False,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=context, reuse_address=True).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])
