"""What one client may use up, and that it is nobody else's share."""

import asyncio
import contextlib
import ipaddress
import ssl
from typing import Any

import pytest
import trustme
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from irsa.runtime.listener import HANDSHAKE_SECONDS, listen
from oidc.publisher import Publisher
from oidc.server import Limits, application
from oidc.throttle import ADDRESSES, Throttle, client
from tests.oidc.process import Client
from tests.oidc.test_server import Fixed

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
JWKS = "/openid/v1/jwks"


@pytest.mark.parametrize(
    "peer, forwarded, expected",
    [
        pytest.param("203.0.113.9", [], None, id="no proxy: nobody is counted"),
        pytest.param("203.0.113.9", ["198.51.100.1"], None, id="the header of a stranger"),
        pytest.param("10.1.1.1", [], None, id="a proxy that names nobody"),
        pytest.param("10.1.1.1", ["198.51.100.1"], "198.51.100.1", id="a proxy that names its client"),
        pytest.param(
            "10.1.1.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1", id="what the client claims is not believed"
        ),
        pytest.param("10.1.1.1", ["198.51.100.1, 10.2.2.2"], "198.51.100.1", id="two proxies"),
        pytest.param("10.1.1.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1", id="two headers"),
        pytest.param("10.1.1.1", ["10.3.3.3"], None, id="proxies only"),
        pytest.param("10.1.1.1", ["nonsense"], None, id="no address"),
        pytest.param("fd00::1", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64", id="IPv6 counts by /64"),
        pytest.param("", ["198.51.100.1"], None, id="no peer"),
    ],
)
def test_whose_request_it_is(peer: str, forwarded: list[str], expected: str | None) -> None:
    """The last address that no trusted proxy added."""
    assert expected == client(peer, forwarded, PROXIES)


def test_a_bucket_empties_and_fills() -> None:
    """A burst at once, then the rate; the wait is told."""
    throttle = Throttle(rate=0.5, burst=3)
    assert [0, 0, 0, 2] == [throttle.wait("a", 100) for _ in range(4)]
    assert 0 == throttle.wait("b", 100)
    assert [0, 2] == [throttle.wait("a", 102), throttle.wait("a", 102)]


@given(st.lists(st.floats(0, 60), max_size=60), st.integers(1, 20))
def test_nobody_gets_more_than_burst_and_rate(pauses: list[float], burst: int) -> None:
    """In any time t at most burst + rate * t requests."""
    throttle, now, allowed = Throttle(rate=2, burst=burst), 0.0, 0
    for pause in pauses:
        now += pause
        allowed += throttle.wait("a", now) == 0
    assert allowed <= burst + 2 * now + 1e-6


def test_memory_is_bounded() -> None:
    """A million addresses take the place of each other."""
    throttle = Throttle(rate=1, burst=1)
    for number in range(ADDRESSES + 100):
        throttle.wait(str(number), 0)
    assert ADDRESSES == len(throttle._buckets)


async def serving(limits: Limits, **listener: Any) -> tuple[web.AppRunner, int]:
    publisher = Publisher(Fixed())
    await publisher.poll()
    return await listen(application({"": publisher}, limits, tls=False), port=0, host="127.0.0.1", **listener)


async def test_a_client_behind_a_trusted_proxy_is_slowed_down_alone() -> None:
    """429 with Retry-After for it, 200 for the next one, and for all who come without a proxy's word."""
    loopback = (ipaddress.ip_network("127.0.0.0/8"),)
    runner, port = await serving(Limits(throttle=Throttle(rate=0.01, burst=2), trusted=loopback))
    async with ClientSession() as session:
        answers = Client(session, port, "http")
        first = [(await answers.get(JWKS, X_Forwarded_For="198.51.100.1"))[0] for _ in range(3)]
        assert [200, 200, 429] == [answer.status for answer in first]
        assert 0 < int(first[2].headers["Retry-After"]) <= 100
        assert 200 == (await answers.get(JWKS, X_Forwarded_For="198.51.100.2"))[0].status
        assert [200] * 5 == [(await answers.get(JWKS))[0].status for _ in range(5)]
    await runner.cleanup()


async def test_connections_beyond_the_limit_are_closed_and_the_others_go_on() -> None:
    """A flood of connections costs the flood, not those that are served."""
    runner, port = await serving(Limits(), connections=2)
    kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for reader, writer in kept:
        await ask(reader, writer)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert b"" == await reader.read()
    writer.close()
    for reader, writer in kept:
        await ask(reader, writer)
        writer.close()
        await writer.wait_closed()
    await runner.cleanup()


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00"], ids=["nothing", "half a hello"])
async def test_a_handshake_that_does_not_end_is_ended(sent: bytes) -> None:
    """Who connects and does not go on holds no connection: ten seconds in earnest, and half a one here."""
    assert HANDSHAKE_SECONDS == 10.0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    runner, port = await serving(Limits(), context=context, handshake_seconds=0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(8):  # before any other limit would
        with contextlib.suppress(ConnectionResetError):
            assert b"" == await reader.read()
    writer.close()
    await runner.cleanup()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HEAD /openid/v1/jwks HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in (await reader.readuntil(b"\r\n\r\n"))


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="long path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 5000 + b"\r\n\r\n", id="long header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 5000 + b"\r\n", id="many headers"),
        pytest.param(b"\x16\x03\x01\x02\x00", id="TLS to a plain port"),
        pytest.param(b"GET / HTTP/9\r\n\r\n", id="no such HTTP"),
        pytest.param(b"GET /openid/v1/jwks HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="negative length"),
    ],
)
async def test_a_request_that_is_too_large_or_none_is_refused(request_bytes: bytes) -> None:
    """400, or the connection is closed; never a 5xx, and the next connection is served."""
    runner, port = await serving(Limits(), line_limit=4096)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_bytes)
    writer.write_eof()
    answer = await reader.read()
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await ask(reader, writer)
    writer.close()
    await runner.cleanup()
