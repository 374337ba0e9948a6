"""When an issuer is asked for its keys: once in five minutes, for a new kid once in half a minute, one at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from irsa.runtime.listener import listen
from sts.accounts import Local, Provider
from sts.issuers import Issuers
from sts.refusals import Refused
from tests.sts.world import EC_KEY, Issuer, jwk


@dataclass
class Case:
    """An issuer, what is known of its keys, and a clock that a test turns."""

    issuer: Issuer
    provider: Provider
    seconds: float = 1000.0
    known: Issuers = field(init=False)

    def __post_init__(self) -> None:
        self.known = Issuers(lambda: self.seconds)

    async def find(self, kid: str = "rsa") -> str:
        """Whether there is such a key, or the code of the refusal."""
        try:
            return "found" if await self.known.keys(self.provider, kid) else "nothing"
        except Refused as refused:
            return refused.code

    @property
    def fetches(self) -> int:
        return self.issuer.asked.count("jwks")


@asynccontextmanager
async def case() -> AsyncIterator[Case]:
    issuer = Issuer()
    runner, port = await listen(issuer.application(), port=0, host="127.0.0.1")
    issuer.url = f"http://127.0.0.1:{port}"
    try:
        yield Case(issuer, Provider("arn", issuer.url, frozenset(), Local()))
    finally:
        await runner.cleanup()


async def away(_: web.Request) -> web.Response:
    return web.Response(status=503)


async def test_keys_are_good_for_five_minutes() -> None:
    """Then they are fetched again."""
    async with case() as here:
        for seconds, fetches in ((0, 1), (1, 1), (299, 1), (2, 2)):
            here.seconds += seconds
            assert "found" == await here.find()
            assert fetches == here.fetches


async def test_an_unknown_kid_brings_a_refresh() -> None:
    """Not within half a minute of the last fetch; then at once, and the new key is there."""
    async with case() as here:
        assert "found" == await here.find()
        here.issuer.keys.append(jwk(EC_KEY, "new"))
        here.seconds += 29
        assert "InvalidIdentityToken" == await here.find("new")
        assert 1 == here.fetches
        here.seconds += 2
        assert "found" == await here.find("new")
        assert 2 == here.fetches


async def test_a_key_that_is_withdrawn_is_forgotten() -> None:
    """At the next fetch."""
    async with case() as here:
        assert "found" == await here.find("ec")
        here.issuer.keys = here.issuer.keys[:1]
        here.seconds += 301
        assert "InvalidIdentityToken" == await here.find("ec")
        assert "found" == await here.find("rsa")


async def test_a_hundred_who_wait_cost_one_fetch() -> None:
    """However many calls come while the first one asks."""
    async with case() as here:
        assert {"found"} == set(await asyncio.gather(*(here.find() for _ in range(100))))
        assert 1 == here.fetches
        here.seconds += 31
        assert {"InvalidIdentityToken"} == set(await asyncio.gather(*(here.find(f"k{n}") for n in range(100))))
        assert 2 == here.fetches


async def test_while_an_issuer_is_away_its_keys_serve_for_an_hour() -> None:
    """Then tokens cannot be verified, and the client is told to try again."""
    async with case() as here:
        assert "found" == await here.find()
        here.issuer.answer = away
        here.seconds += 3599
        assert "found" == await here.find()
        here.seconds += 2
        assert "IDPCommunicationError" == await here.find()


async def test_an_issuer_that_fails_is_asked_once_a_second() -> None:
    """And serves at once when it is back."""
    async with case() as here:
        here.issuer.answer = away
        for _ in range(10):
            assert "IDPCommunicationError" == await here.find()
        assert 1 == here.fetches
        here.issuer.answer = None
        here.seconds += 1.5
        assert "found" == await here.find()


async def test_a_hundred_who_wait_in_vain_cost_one_fetch() -> None:
    """All get the answer of the one that was under way; else the last of them would wait for a hundred time-outs."""
    async with case() as here:

        async def silent(_: web.Request) -> web.Response:
            here.seconds += 5
            return web.Response(status=504)

        here.issuer.answer = silent
        assert {"IDPCommunicationError"} == set(await asyncio.gather(*(here.find() for _ in range(100))))
        assert 1 == here.fetches


async def test_nobody_waits_for_an_issuer_that_is_away_with_a_key_that_is_known() -> None:
    """After a fetch has failed the next one goes on behind the answers; and what it finds holds from then on."""
    async with case() as here:
        assert "found" == await here.find()
        asked, back = asyncio.Event(), asyncio.Event()

        async def silent(_: web.Request) -> web.Response:
            asked.set()
            await back.wait()
            return web.json_response({"keys": [jwk(EC_KEY, "new")]})

        here.issuer.answer = away
        here.seconds += 301
        assert "found" == await here.find()
        here.issuer.answer = silent
        here.seconds += 2
        async with asyncio.timeout(20):
            assert "found" == await here.find()
            await asked.wait()
            assert "found" == await here.find()
            assert 3 == here.fetches
            back.set()
            assert "found" == await here.find("new")
        assert "InvalidIdentityToken" == await here.find("rsa")


async def test_an_issuer_that_was_away_long_ago_is_waited_for() -> None:
    """What it has withdrawn meanwhile does not serve once more."""
    async with case() as here:
        assert "found" == await here.find()
        here.issuer.answer = away
        here.seconds += 301
        assert "found" == await here.find()
        here.issuer.answer, here.issuer.keys = None, [jwk(EC_KEY, "new")]
        here.seconds += 600
        assert "InvalidIdentityToken" == await here.find()


@pytest.mark.parametrize("kid", ["", "rsa"])
async def test_a_provider_of_another_address_has_keys_of_its_own(kid: str) -> None:
    """Two accounts that reach one issuer in two ways share nothing."""
    async with case() as here:
        assert "found" == await here.find(kid)
        other = Provider("arn", here.issuer.url, frozenset(), Local(jwks_file="/nonexistent/jwks.json"))
        with pytest.raises(Refused) as caught:
            await here.known.keys(other, kid)
        assert "IDPCommunicationError" == caught.value.code
