"""HTTP on the port of STS and the gateway: what is taken, what is answered, and when a connection ends."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trustme

from irsa.runtime.exchange import Deadlines
from sts.http import BODY_LIMIT, HEAD_LIMIT, Fault, Reply
from sts.listener import BODIES_LIMIT, SHED, Listener
from sts.sigv4 import HttpRequest

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """Says what it was asked; `/wait` has to be released, `/big` is answered at length, `/bug` not at all."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.released = asyncio.Event()

    async def answer(self, asked: HttpRequest, fault: Fault | None) -> Reply:
        self.asked.set()
        if asked.path == "/wait":
            await self.released.wait()
        if asked.path == "/bug":
            raise RuntimeError("bug")
        said = {
            "method": asked.method, "target": asked.target, "body": asked.body.decode(), "source": asked.source,
            "secure": asked.secure, "x": [value for name, value in asked.headers if name == "x"],
            "fault": fault and fault.value,
        }  # fmt: skip
        body = b" " * 2**24 if asked.path == "/big" else json.dumps(said).encode()
        return Reply(204 if asked.path == "/nothing" else 200, body if asked.path != "/nothing" else b"", {"X": "y"})


class Port:
    """A listening port."""

    def __init__(self, listener: Listener, number: int, context: ssl.SSLContext | None = None) -> None:
        self.listener = listener
        self.echo: Any = listener.service
        self.number = number
        self.context = context

    async def connect(self) -> Streams:
        names = {"server_hostname": "localhost"} if self.context else {}
        return await asyncio.open_connection("127.0.0.1", self.number, ssl=self.context, **names)

    async def whole(self, data: bytes) -> bytes:
        """All that comes back until the server closes."""
        reader, writer = await self.connect()
        writer.write(data)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Port]]]:
    """A port with deadlines of the test's choice."""
    async with AsyncExitStack() as stack:

        async def make(**deadlines: float) -> Port:
            echo = Echo()
            stack.callback(echo.released.set)
            listener = Listener(echo, Deadlines(**deadlines))
            return Port(listener, await stack.enter_async_context(listener.listen(0, "127.0.0.1")))

        yield make


Serve = Callable[..., Awaitable[Port]]


def request(target: str = "/", *headers: str, body: bytes = b"", method: str = "POST", version: str = "1.1") -> bytes:
    lines = [f"{method} {target} HTTP/{version}", "Host: h", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode(errors="surrogateescape") + body


CLOSE = "Connection: close"


def said(answer: bytes) -> dict[str, object]:
    """What the service was asked, by the last answer."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    assert b"HTTP/1.1 200 OK\r\n" in head
    return dict(json.loads(body))


GOOD: dict[str, tuple[bytes, dict[str, object]]] = {
    "a body by length": (request("/", CLOSE, body=b"abc"), {"body": "abc"}),
    "a body in chunks": (
        request("/", CLOSE, "Transfer-Encoding: chunked") + b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\nX: trailer\r\n\r\n",
        {"body": "abc", "x": []},
    ),
    "no body": (request("/?a=b%20c", CLOSE, method="GET"), {"method": "GET", "target": "/?a=b%20c", "body": ""}),
    "a header twice, in order": (request("/", "X: 1", "x:2 ", CLOSE), {"x": ["1", "2"]}),
    "bytes that are no UTF-8": (request("/", "X: caf\udce9", CLOSE), {"x": ["caf\udce9"]}),
    "a header of UTF-8": (request("/", "X: caf\u00e9", CLOSE), {"x": ["caf\u00e9"]}),
    "HTTP/1.0": (request("/", version="1.0"), {"method": "POST"}),
    "HTTP/1.0 without a host": (b"GET / HTTP/1.0\r\n\r\n", {"method": "GET"}),
    "an upgrade that is not made": (request("/", "Upgrade: h2c", "Connection: upgrade"), {"method": "POST"}),
    "a long target": (request("/?a=" + "b" * 60_000, CLOSE), {"body": ""}),
    "the largest body": (request("/", CLOSE, body=b"a" * BODY_LIMIT), {"fault": None}),
}


@pytest.mark.parametrize("sent, expected", GOOD.values(), ids=GOOD)
async def test_what_is_taken(serve: Serve, sent: bytes, expected: dict[str, object]) -> None:
    """As it stood on the wire."""
    port = await serve()
    assert expected.items() <= said(await port.whole(sent)).items()


BAD = {
    "no HTTP": b"garbage\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.1 without a host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": request("/", "Host: h"),
    "a control character in a header": request("/", "X: a\x00b"),
}
BOUNDLESS = {
    "a head": request("/", *(f"X-{number}: {'a' * 1000}" for number in range(HEAD_LIMIT // 1000))),
    "headers": request("/", *["a:b"] * (HEAD_LIMIT // 32)),
    "a target": request("/" + "a" * HEAD_LIMIT),
    "a header without an end": b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 2_000_000,
    "a trailer without an end": request("/", "Transfer-Encoding: chunked") + b"0\r\nX: " + b"a" * 2_000_000,
    "trailers": (
        request("/", "Transfer-Encoding: chunked") + b"0\r\n" + b"X: aaaaaaaaaaaaaaa\r\n" * (HEAD_LIMIT // 16)
    ),
    "an extension without an end": request("/", "Transfer-Encoding: chunked") + b"0;" + b"a" * 2_000_000,
}


@pytest.mark.parametrize(
    "sent, status",
    [(sent, b"400 Bad Request") for sent in BAD.values()]
    + [(sent, b"431 Request Header Fields Too Large") for sent in BOUNDLESS.values()],
    ids=[*BAD, *BOUNDLESS],
)
async def test_what_is_not(serve: Serve, sent: bytes, status: bytes) -> None:
    """Refused, though the client is still sending, then the end of the connection; nothing is decided."""
    port = await serve(linger=0.2)
    answer = await port.whole(sent)
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert not port.echo.asked.is_set()


LARGE = {
    "by length": request("/", "Content-Length: 1000000") + b"a" * 1000,
    "by a length of many digits": request("/", "Content-Length: 18446744073709551615") + b"a" * 1000,
    "in chunks": request("/", "Transfer-Encoding: chunked") + b"10000\r\n" + (b"a" * 0x10000 + b"\r\n10000\r\n") * 5,
    "by one byte": request("/", CLOSE, body=b"a" * (BODY_LIMIT + 1)),
}


@pytest.mark.parametrize("sent", LARGE.values(), ids=LARGE)
async def test_a_body_too_large_is_answered(serve: Serve, sent: bytes) -> None:
    """By the service, in its words, though the client is still sending; then the connection ends."""
    port = await serve(linger=0.2)
    answer = await port.whole(sent)
    assert b"\r\nConnection: close\r\n" in answer
    assert ("too large", "") == (said(answer)["fault"], said(answer)["body"])


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    """Also where the first one takes its time, and a bad one follows the good ones."""
    port = await serve()
    reader, writer = await port.connect()
    writer.write(request("/wait") + request("/2", body=b"b") + request("/3", method="GET"))
    await port.echo.asked.wait()
    writer.write(request("/4", CLOSE))
    port.echo.released.set()
    async with asyncio.timeout(20):
        answers = (await reader.read()).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert ["/wait", "/2", "/3", "/4"] == [json.loads(each.partition(b"\r\n\r\n")[2])["target"] for each in answers]
    writer.close()


async def test_a_body_is_asked_for(serve: Serve) -> None:
    """By clients that send `Expect: 100-continue`, as SDKs do with uploads."""
    port = await serve()
    reader, writer = await port.connect()
    writer.write(request("/", "Expect: 100-continue", "Content-Length: 3", CLOSE, method="PUT"))
    async with asyncio.timeout(20):
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await reader.readuntil(b"\r\n\r\n")
        writer.write(b"abc")
        assert "abc" == said(await reader.read())["body"]
    writer.close()


async def test_answers_to_head_and_without_content(serve: Serve) -> None:
    """A HEAD has the length and no body; a 204 has neither."""
    port = await serve()
    answer = await port.whole(request("/", CLOSE, method="HEAD"))
    assert answer.endswith(b"\r\n\r\n")
    assert b"\r\nContent-Length: 0" not in answer
    nothing = await port.whole(request("/nothing", CLOSE))
    assert nothing.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"Content-Length" not in nothing
    assert b"\r\nDate: " in nothing


async def test_who_has_said_all_is_answered(serve: Serve) -> None:
    """A client may close its half of the connection and wait."""
    port = await serve()
    reader, writer = await port.connect()
    writer.write(request("/wait"))
    writer.write_eof()
    await port.echo.asked.wait()
    port.echo.released.set()
    async with asyncio.timeout(20):
        assert "/wait" == said(await reader.read())["target"]
    writer.close()


async def test_a_bug_is_an_answer_too(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """The service answers for its own bugs; should one get past it, it is in the log, and nobody waits for ever."""
    port = await serve()
    assert (await port.whole(request("/bug", CLOSE))).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert ["bug: request not answered"] == [record.message for record in caplog.records]
    assert said(await port.whole(request("/", CLOSE)))


async def test_what_was_asked_before_a_bad_request_is_answered(serve: Serve) -> None:
    """In order, the refusal last; what stands behind it is never read."""
    port = await serve(linger=0.2)
    port.echo.released.set()
    answers = await port.whole(request("/wait") + request("/2") + b"garbage\r\n\r\n" + request("/3"))
    first, second, refusal = answers.split(b"HTTP/1.1 ")[1:]
    assert b'"/wait"' in first
    assert b'"/2"' in second
    assert refusal.startswith(b"400 Bad Request\r\n")


async def test_an_idle_connection_is_closed_in_the_end(serve: Serve) -> None:
    """Not while it waits for its answer."""
    port = await serve(idle=0.1, head=0.1)
    reader, writer = await port.connect()
    writer.write(request("/wait"))
    await port.echo.asked.wait()
    asyncio.get_running_loop().call_later(1.0, port.echo.released.set)
    async with asyncio.timeout(20):
        assert "/wait" == said(await reader.read())["target"]
    writer.close()


async def test_who_does_not_read_loses_the_connection(serve: Serve) -> None:
    """And with it what was kept for it."""
    port = await serve(write=0.2)
    _, writer = await port.connect()
    writer.write(request("/big") * 3)
    await port.echo.asked.wait()
    async with asyncio.timeout(20):
        while port.listener.port.connections:
            await asyncio.sleep(0.02)
    writer.close()


async def test_who_hoards_bodies_makes_room(serve: Serve) -> None:
    """More of them than all connections together may hold: the largest go, and whoever comes is answered."""
    port, before = await serve(), shed("bodies")
    begun = request("/", f"Content-Length: {BODY_LIMIT}") + b"a" * (BODY_LIMIT - 1)
    room = BODIES_LIMIT // (BODY_LIMIT - 1)
    hoard = [await port.connect() for _ in range(room + 3)]
    for _, writer in hoard:
        writer.write(begun)
    async with asyncio.timeout(20):
        while shed("bodies") - before < 3:
            await asyncio.sleep(0.02)
    assert "abc" == said(await port.whole(request("/", CLOSE, body=b"abc")))["body"]
    for _, writer in hoard:
        writer.transport.abort()


def shed(reason: str) -> float:
    return SHED.labels(reason)._value.get()  # type: ignore[no-any-return]


async def test_the_listener_ends_when_all_is_answered() -> None:
    """An idle connection is closed at once; one that waits for its answer gets it."""
    echo = Echo()
    async with asyncio.timeout(20), AsyncExitStack() as stack:
        listener = Listener(echo)
        port = Port(listener, await stack.enter_async_context(listener.listen(0, "127.0.0.1")))
        idle, waiting = await port.connect(), await port.connect()
        waiting[1].write(request("/wait"))
        await echo.asked.wait()
        ending = asyncio.create_task(stack.aclose())
        assert b"" == await idle[0].read()
        assert not ending.done()
        echo.released.set()
        assert "/wait" == said(await waiting[0].read())["target"]
        await ending
        for _, writer in (idle, waiting):
            writer.close()


async def test_over_tls() -> None:
    """The same, and said to be secure."""
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    listener = Listener(Echo())
    async with listener.listen(0, "127.0.0.1", server) as number:
        answer = said(await Port(listener, number, client).whole(request("/", CLOSE, body=b"abc")))
    assert ("abc", True, "127.0.0.1") == (answer["body"], answer["secure"], answer["source"])
