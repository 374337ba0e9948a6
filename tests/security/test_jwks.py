"""Attack: an issuer whose key set is too large, too slow, elsewhere, or not what it says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from sts import issuers
from tests.sts.world import RSA_KEY, World, answer_of, jwk

UNUSABLE, UNREACHABLE = ("InvalidIdentityToken", 400), ("IDPCommunicationError", 400)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def body(content: bytes | dict[str, Any], status: int = 200, **headers: str) -> Handler:
    """A handler with one answer."""

    async def handler(_: web.Request) -> web.Response:
        if isinstance(content, dict):
            return web.json_response(content, status=status, headers=headers)
        return web.Response(body=content, status=status, headers=headers)

    return handler


async def endless(request: web.Request) -> web.StreamResponse:
    """A body that does not end."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(64):
        await response.write(b" " * 1024 * 1024)
    return response


def many(count: int) -> dict[str, Any]:
    return {"keys": [jwk(RSA_KEY, "rsa"), *({**jwk(RSA_KEY, "rsa"), "kid": str(number)} for number in range(count))]}


SMALL = jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024), "rsa")  # noqa: S505 -- weak on purpose

ANSWERS: dict[str, tuple[Handler, tuple[str, int]]] = {
    "101 keys": (body(many(100)), UNUSABLE),
    "100 keys": (body(many(99)), ("ok", 200)),
    "10 MB": (body(b" " * 10_000_000), UNUSABLE),
    "10 MB of JSON": (body(b'{"keys": [' + b" " * 10_000_000 + b"]}"), UNUSABLE),
    "no end": (endless, UNUSABLE),
    "a redirect": (body(b"", 302, Location="/.well-known/openid-configuration"), UNUSABLE),
    "a redirect elsewhere": (body(b"", 307, Location="http://169.254.169.254/latest/meta-data"), UNUSABLE),
    "not found": (body(b"", 404), UNUSABLE),
    "forbidden": (body(b"", 403), UNUSABLE),
    "out of order": (body(b"", 503), UNREACHABLE),
    "rate-limited": (body(b"", 429), UNREACHABLE),
    "no JSON": (body(b"<html>"), UNUSABLE),
    "deep JSON": (body(b"[" * 500_000), UNUSABLE),
    "a list": (body(b"[]"), UNUSABLE),
    "no keys": (body({"keys": []}), UNUSABLE),
    "keys of another shape": (body({"keys": ["rsa"]}), UNUSABLE),
    "a private use": (body({"keys": [{**jwk(RSA_KEY, "rsa"), "use": "enc"}]}), UNUSABLE),
    "a symmetric key": (body({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"}]}), UNUSABLE),
    "a weak key": (body({"keys": [SMALL]}), UNUSABLE),
    "a broken key beside a good one": (body({"keys": [{"kty": "RSA", "n": "AA"}, jwk(RSA_KEY, "rsa")]}), ("ok", 200)),
    "gzip bomb": (body(b"\x1f\x8b" + b"\0" * 1000, 200, **{"Content-Encoding": "gzip"}), UNUSABLE),
}


@pytest.mark.parametrize("handler, expected", ANSWERS.values(), ids=ANSWERS)
def test_what_an_issuer_may_answer(aws: World, handler: Handler, expected: tuple[str, int]) -> None:
    """AWS's code: what a retry may cure is told apart from what it may not."""
    aws.issuer.answer = handler
    assert expected == answer_of(aws.assume, aws.issuer.token())


def test_a_slow_issuer_holds_nobody_up_for_long(aws: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the deadline the answer is one that SDKs try again; other calls go on meanwhile."""
    monkeypatch.setattr(issuers, "TIMEOUT_SECONDS", 0.3)

    async def slow(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3)
        return web.Response()

    aws.issuer.answer = slow
    assert UNREACHABLE == answer_of(aws.assume, aws.issuer.token())


DISCOVERY = {
    "another issuer": {"issuer": "https://other.example"},
    "no issuer": {"issuer": None},
    "no jwks_uri": {"jwks_uri": None},
    "a jwks_uri that is a file": {"jwks_uri": "file:///etc/passwd"},
    "a jwks_uri that is a number": {"jwks_uri": 1},
    "no response types": {"response_types_supported": None},
    "no subject types": {"subject_types_supported": None},
    "no algorithms": {"id_token_signing_alg_values_supported": None},
}


@pytest.mark.parametrize("change", DISCOVERY.values(), ids=DISCOVERY)
def test_a_discovery_document_that_aws_refuses(aws: World, change: dict[str, Any]) -> None:
    """Each member that AWS needs, and the issuer's own name."""
    aws.issuer.discovery = change
    assert UNUSABLE == answer_of(aws.assume, aws.issuer.token())


def test_old_keys_serve_while_the_issuer_is_away(aws: World) -> None:
    """Not an attack: a key set that was fetched goes on verifying."""
    assert ("ok", 200) == answer_of(aws.assume, aws.issuer.token())
    aws.issuer.answer = body(b"", 503)
    assert ("ok", 200) == answer_of(aws.assume, aws.issuer.token())
