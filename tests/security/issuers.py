"""What an issuer under an attacker's hand answers: handlers that take the place of its key set."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.sts.world import RSA_KEY, jwk

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
    """A key set with the right key and `count` others."""
    return {"keys": [jwk(RSA_KEY, "rsa"), *({**jwk(RSA_KEY, "rsa"), "kid": str(number)} for number in range(count))]}
