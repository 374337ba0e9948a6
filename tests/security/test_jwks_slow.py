"""Attack: an issuer that answers slowly, to hold up the STS and everybody who calls it."""

import asyncio
import threading

import pytest
from aiohttp import web

from sts.issuers import Issuers
from tests.security.issuers import UNREACHABLE
from tests.sts.world import USER_KEY, World, answer_of


async def slow(_: web.Request) -> web.StreamResponse:
    """Nothing, for longer than anybody waits."""
    await asyncio.sleep(3)
    return web.Response()


async def dripping(request: web.Request) -> web.StreamResponse:
    """A byte now and then: each read is fast, the whole is not."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(60):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


@pytest.mark.parametrize("handler", [slow, dripping], ids=["silent", "dripping"])
def test_a_slow_issuer_holds_nobody_up_for_long(aws: World, handler: object) -> None:
    """After the deadline, for the whole of it, the answer is one that SDKs try again."""
    aws.server._issuers = Issuers(timeout=0.3)
    aws.issuer.answer = handler
    assert UNREACHABLE == answer_of(aws.assume, aws.issuer.token())


def test_other_calls_go_on_meanwhile(aws: World) -> None:
    """While one call waits for the issuer, a signed one is answered: before the first has its answer."""
    aws.server._issuers = Issuers(timeout=1)
    asked = threading.Event()

    async def waiting(request: web.Request) -> web.StreamResponse:
        asked.set()
        return await slow(request)

    aws.issuer.answer = waiting
    client, seen = aws.client(key=USER_KEY), []
    call = threading.Thread(target=lambda: seen.append(answer_of(aws.assume, aws.issuer.token())))
    call.start()
    assert asked.wait(10)
    assert ("ok", 200) == answer_of(client.get_caller_identity)
    assert [] == seen
    call.join()
    assert [UNREACHABLE] == seen
