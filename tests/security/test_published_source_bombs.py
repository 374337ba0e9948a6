"""Attack: a source of keys, or who sits between, answers with what unpacks, drips or never ends."""

import gzip
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trustme
from aiohttp import web

from irsa.runtime.listener import listen
from oidc.errors import DocumentError, SourceError
from oidc.publisher import Publisher
from oidc.sources.apiserver import APIServer, Endpoint
from oidc.sources.http import fetch, session
from tests.oidc.keys import jwk
from tests.security.issuers import Handler, body, endless
from tests.security.test_jwks_slow import dripping, slow

DISCOVERY, JWKS = "/.well-known/openid-configuration", "/openid/v1/jwks"
KEYS = msgspec.json.encode({"keys": [jwk("a")]})


@asynccontextmanager
async def answering(handler: Handler, folder: Path) -> AsyncIterator[str]:
    """An API server with a right discovery document and `handler`'s key set; its CA is in `folder`/ca.pem."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    app = web.Application()
    app.router.add_get(DISCOVERY, body({"issuer": "https://oidc.example.com", "jwks_uri": "https://x/keys"}))
    app.router.add_get(JWKS, handler)
    runner, port = await listen(app, port=0, host="localhost", context=context, drain_seconds=0.1)
    try:
        yield f"https://localhost:{port}"
    finally:
        await runner.cleanup()


def packed(method: str) -> Handler:
    """A right key set, packed: who unpacks this unpacks a bomb."""
    content = gzip.compress(KEYS) if method == "gzip" else zlib.compress(KEYS)
    return body(content, **{"Content-Encoding": method, "Content-Type": "application/json"})


@pytest.mark.parametrize(
    "handler, taken",
    [
        pytest.param(body(KEYS), True, id="as it is"),
        pytest.param(packed("gzip"), False, id="gzip"),
        pytest.param(packed("deflate"), False, id="deflate"),
        pytest.param(endless, False, id="no end"),
        pytest.param(body(b"[" * 500_000), False, id="deep JSON"),
        pytest.param(body(b'{"keys": [' + b" " * 10_000_000 + b"]}"), False, id="10 MB of JSON"),
    ],
)
async def test_how_much_a_source_may_answer(handler: Handler, taken: bool, tmp_path: Path) -> None:
    """A MiB, and nothing is unpacked; what was published before stays."""
    async with answering(handler, tmp_path) as url:
        publisher = Publisher(APIServer(Endpoint(url, ca=tmp_path / "ca.pem")))
        assert taken == await publisher.poll()
        if not taken:
            with pytest.raises(DocumentError):
                await publisher.look()


@pytest.mark.parametrize("handler", [slow, dripping], ids=["silent", "dripping"])
async def test_a_slow_source_is_given_up(handler: Handler, tmp_path: Path) -> None:
    """The deadline is for the whole answer, not for each read: five seconds in earnest, and a third of one here."""
    async with answering(handler, tmp_path) as url:
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        async with session(context) as asking:
            with pytest.raises(SourceError, match="no answer within"):
                await fetch(asking, url + JWKS, {}, deadline=0.3)
