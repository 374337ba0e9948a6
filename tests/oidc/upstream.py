"""A source that a test can break at will: the two documents behind real TLS, on loopback."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import trustme
from aiohttp import web

from irsa.runtime.listener import listen

ISSUER = "https://oidc.example.com"


class Upstream:
    """What it answers next; `keys` are JWKS entries, `status` other than 200 answers without a body."""

    def __init__(self, authority: trustme.CA) -> None:
        self.authority = authority
        self.issuer = ISSUER
        self.keys: list[dict[str, Any]] = []
        self.status = 200
        self.raw: bytes | None = None
        self.token: str | None = None
        self.seen_tokens: list[str] = []
        self.port = 0
        self.jwks_uri: object = "https://10.0.0.1:6443/openid/v1/jwks"

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    async def discovery(self, request: web.Request) -> web.Response:
        return self._answer(request, {"issuer": self.issuer, "jwks_uri": self.jwks_uri})

    async def jwks(self, request: web.Request) -> web.Response:
        if self.raw is not None:
            return web.Response(body=self.raw)
        return self._answer(request, {"keys": self.keys})

    def _answer(self, request: web.Request, body: object) -> web.Response:
        self.seen_tokens.append(request.headers.get("Authorization", ""))
        if self.status != 200:
            return web.Response(status=self.status)
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        return web.json_response(body)


@contextlib.asynccontextmanager
async def running(authority: trustme.CA, folder: Path, port: int = 0) -> AsyncIterator[Upstream]:
    """An upstream that listens; its CA is in `folder`/upstream.pem."""
    upstream = Upstream(authority)
    (folder / "upstream.pem").write_bytes(authority.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", upstream.discovery)
    app.router.add_get("/openid/v1/jwks", upstream.jwks)
    runner, upstream.port = await listen(app, port=port, host="localhost", context=context, drain_seconds=0.1)
    try:
        yield upstream
    finally:
        await runner.cleanup()
