"""What the admission port makes of HTTP, good and bad: the same table for our listener and for aiohttp's.

Each case is bytes in and status, content type and body out. What the two may differ in (how long they wait for what
never comes, when they close) is shown for ours alone, below.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trustme

from irsa.runtime.exchange import Deadlines
from irsa.runtime.health import Readiness
from tests.webhook.yardstick import Yardstick
from webhook.listener import REFUSED, Listener
from webhook.routes import BODY_LIMIT, HEAD_LIMIT, Reply

Answer = tuple[int, str, bytes]
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


def post(body: bytes, headers: bytes = b"Content-Type: application/json\r\n", path: bytes = b"/mutate") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: h\r\n" + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


def get(path: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return method + b" " + path + b" HTTP/" + version + b"\r\nHost: h\r\n\r\n"


def chunked(*parts: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return (
        b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        + framed
    )


def review(body: bytes) -> Reply | Awaitable[Reply]:
    """Says what it was given; a body `wait` takes a moment."""

    async def later() -> Reply:
        await asyncio.sleep(0.05)
        return Reply(200, b'"waited"')

    return later() if body == b"wait" else Reply(200, json.dumps([len(body), body[:20].decode("latin-1")]).encode())


def echoed(body: bytes) -> Answer:
    reply = review(body)
    assert isinstance(reply, Reply)
    return 200, JSON, reply.body


class Port:
    """A listening port, and what a client sees of it."""

    def __init__(self, number: int, context: ssl.SSLContext | None = None) -> None:
        self.number = number
        self.context = context

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        names = {"server_hostname": "localhost"} if self.context else {}
        return await asyncio.open_connection("127.0.0.1", self.number, ssl=self.context, limit=1 << 24, **names)

    async def exchange(self, *parts: bytes, answers: int = 1) -> list[Answer]:
        reader, writer = await self.connect()
        try:
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.01)
            return [await read(reader) for _ in range(answers)]
        finally:
            writer.close()


async def read(reader: asyncio.StreamReader, *, head_only: bool = False) -> Answer:
    """The next final answer; `100 Continue` is passed over."""
    async with asyncio.timeout(20):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        status = int(lines[0].split(" ")[1])
        if status == 100:
            return await read(reader, head_only=head_only)
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        length = 0 if head_only else int(headers["content-length"])
        return status, headers["content-type"], await reader.readexactly(length)


SERVERS: dict[str, Any] = {"ours": Listener, "aiohttp": Yardstick}


@pytest.fixture(params=list(SERVERS))
async def port(request: pytest.FixtureRequest) -> AsyncIterator[Port]:
    """Each of the two servers."""
    async with SERVERS[request.param](review, Readiness()).listen(0, host="127.0.0.1") as number:
        yield Port(number)


@pytest.fixture
async def ours() -> AsyncIterator[Callable[..., Awaitable[Port]]]:
    """Our listener with deadlines of the test's choice."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(**deadlines: float) -> Port:
            listener = Listener(review, Readiness(), Deadlines(**deadlines))
            return Port(await stack.enter_async_context(listener.listen(0, host="127.0.0.1")))

        yield make


GOOD = echoed(b"{}")
BIG = b" " * BODY_LIMIT
BAD = (400, TEXT, b"400 Bad Request\n")

CASES: dict[str, tuple[bytes, Answer]] = {
    "review": (post(b"{}"), GOOD),
    "query": (post(b"{}", path=b"/mutate?timeout=10s"), GOOD),
    "charset": (post(b"{}", b"Content-Type: application/json; charset=utf-8\r\n"), GOOD),
    "type-in-capitals": (post(b"{}", b"content-TYPE: Application/JSON\r\n"), GOOD),
    "http-1.0": (post(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"), GOOD),
    "empty-body": (post(b""), echoed(b"")),
    "chunked": (chunked(b"{", b"}"), GOOD),
    "chunked-with-extension": (chunked(b"{}").replace(b"2\r\n", b"2;a=b\r\n"), GOOD),
    "chunked-empty": (chunked(), echoed(b"")),
    "expect": (post(b"{}", b"Content-Type: application/json\r\nExpect: 100-continue\r\n"), GOOD),
    "slow-answer": (post(b"wait"), (200, JSON, b'"waited"')),
    "at-the-limit": (post(BIG), echoed(BIG)),
    "leading-newlines": (b"\r\n\r\n" + post(b"{}"), GOOD),
    "livez": (get(b"/livez"), (200, TEXT, b"ok\n")),
    "healthz": (get(b"/healthz"), (200, TEXT, b"ok\n")),
    "readyz": (get(b"/readyz"), (200, TEXT, b"ok\n")),
    "no-type": (post(b"{}", b""), (415, TEXT, b"Invalid Content-Type, expected `application/json`\n")),
    "xml": (
        post(b"{}", b"Content-Type: application/xml\r\n"),
        (415, TEXT, b"Invalid Content-Type, expected `application/json`\n"),
    ),
    "unknown-path": (post(b"{}", path=b"/mutate/"), (404, TEXT, b"404 Not Found\n")),
    "absolute-target": (get(b"http://h/livez"), (404, TEXT, b"404 Not Found\n")),
    "get-mutate": (get(b"/mutate"), (405, TEXT, b"405 Method Not Allowed\n")),
    "post-readyz": (post(b"", path=b"/readyz"), (405, TEXT, b"405 Method Not Allowed\n")),
    "oversize-by-length": (
        post(b"")[:-5] + b"%d\r\n\r\n" % (BODY_LIMIT + 1),
        (413, TEXT, b"413 Request Entity Too Large\n"),
    ),
    "oversize-by-far": (post(b"")[:-5] + b"99999999999999\r\n\r\n", (413, TEXT, b"413 Request Entity Too Large\n")),
    "oversize-in-chunks": (chunked(BIG, b" "), (413, TEXT, b"413 Request Entity Too Large\n")),
    "long-header": (
        b"GET /livez HTTP/1.1\r\nHost: h\r\nX: " + b"x" * (HEAD_LIMIT + 1) + b"\r\n\r\n",
        (431, TEXT, b"431 Request Header Fields Too Large\n"),
    ),
    "long-target": (get(b"/" + b"x" * (HEAD_LIMIT + 1)), (431, TEXT, b"431 Request Header Fields Too Large\n")),
    "garbage": (b"\x00\x01\x02\x03\r\n\r\n", BAD),
    "tls-to-plain": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", BAD),
    "http-2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD),
    "no-version": (b"GET /livez\r\n\r\n", BAD),
    "version-9": (b"GET /livez HTTP/9.9\r\nHost: h\r\n\r\n", BAD),
    "two-lengths": (b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", BAD),
    "length-and-chunked": (
        b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        BAD,
    ),
    "length-not-a-number": (b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Length: abc\r\n\r\n", BAD),
    "length-negative": (b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", BAD),
    "length-plus": (b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Length: +2\r\n\r\n{}", BAD),
    "chunked-not-last": (
        b"POST /mutate HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        BAD,
    ),
    "space-before-colon": (b"GET /livez HTTP/1.1\r\nHost : h\r\n\r\n", BAD),
    "folded-header": (b"GET /livez HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", BAD),
    "nul-in-header": (b"GET /livez HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", BAD),
    "bare-newlines": (b"GET /livez HTTP/1.1\nHost: h\n\n", BAD),
}


@pytest.mark.parametrize("case", CASES)
async def test_both_servers_answer_alike(port: Port, case: str) -> None:
    """Status, content type and body are those of the table, whoever serves."""
    sent, expected = CASES[case]
    assert [expected] == await port.exchange(sent)


@pytest.mark.parametrize("case", ["review", "chunked", "expect", "slow-answer", "no-type", "unknown-path"])
async def test_bytes_may_come_one_by_one(port: Port, case: str) -> None:
    """How a request is cut into packets means nothing."""
    sent, expected = CASES[case]
    reader, writer = await port.connect()
    for byte in sent:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert expected == await read(reader)
    writer.close()


async def test_requests_sent_ahead_are_answered_in_order(port: Port) -> None:
    """Also where the first takes longer than the second, and behind refusals."""
    sent = [post(b"wait"), post(b"{}"), get(b"/nowhere"), post(b"wait"), chunked(b"{", b"}"), get(b"/livez")]
    expected = [
        (200, JSON, b'"waited"'),
        GOOD,
        CASES["unknown-path"][1],
        (200, JSON, b'"waited"'),
        GOOD,
        CASES["livez"][1],
    ]
    assert expected == await port.exchange(b"".join(sent), answers=len(sent))


async def test_a_connection_is_kept(port: Port) -> None:
    """Good and refused requests leave it usable, one after the other."""
    reader, writer = await port.connect()
    for case in ("review", "no-type", "unknown-path", "chunked", "get-mutate", "review"):
        writer.write(CASES[case][0])
        assert CASES[case][1] == await read(reader)
    writer.close()


async def test_head_has_no_body(port: Port) -> None:
    """The length is that of the body which GET would have."""
    reader, writer = await port.connect()
    writer.write(get(b"/livez", b"HEAD") + get(b"/livez"))
    assert (200, TEXT, b"") == await read(reader, head_only=True)
    assert (200, TEXT, b"ok\n") == await read(reader)
    writer.close()


@pytest.mark.parametrize(
    "sent", [post(b"{}")[:-1], chunked(b"{}")[:-3], post(b"{}")[:30]], ids=["length", "chunks", "head"]
)
async def test_a_truncated_request_is_not_answered_as_a_whole_one(port: Port, sent: bytes) -> None:
    """The connection is closed, whatever was said on it."""
    reader, writer = await port.connect()
    writer.write(sent)
    writer.write_eof()
    async with asyncio.timeout(5):
        assert b" 200 " not in await reader.read()
    writer.close()


@pytest.mark.parametrize("case", ["review", "chunked", "no-type", "oversize-in-chunks", "garbage"])
async def test_a_client_may_close_its_half_behind_a_request(port: Port, case: str) -> None:
    """It is answered, and then the connection is closed."""
    sent, expected = CASES[case]
    reader, writer = await port.connect()
    writer.write(sent)
    writer.write_eof()
    assert expected == await read(reader)
    async with asyncio.timeout(5):
        assert b"" == await reader.read()
    writer.close()


async def test_a_client_that_leaves_harms_nobody(port: Port) -> None:
    """In the middle of a head, a body, an answer."""
    for sent in (b"POST /mu", post(b"{}")[:-1], post(b"wait")):
        _, writer = await port.connect()
        writer.write(sent)
        await writer.drain()
        writer.transport.abort()
    assert [GOOD] == await port.exchange(post(b"{}"))


async def test_slow_clients_do_not_hold_up_others(port: Port) -> None:
    """Fifty heads and bodies that come a byte at a time, and a review beside them."""
    slow = [await port.connect() for _ in range(50)]
    for number, (_, writer) in enumerate(slow):
        writer.write(post(b"{}")[: 20 if number % 2 else -1])
    assert [GOOD] == await port.exchange(post(b"{}"))
    for number, (reader, writer) in enumerate(slow):
        writer.write(post(b"{}")[20 if number % 2 else -1 :])
        assert GOOD == await read(reader)
        writer.close()


async def test_a_thousand_idle_connections_are_nothing(port: Port) -> None:
    """A review is answered among them."""
    idle = [await port.connect() for _ in range(1000)]
    assert [GOOD] == await port.exchange(post(b"{}"))
    for _, writer in idle:
        writer.close()


# -- ours alone


@pytest.mark.parametrize("sent", [b"POST /mutate HT", post(b"{}")[:-1]], ids=["head", "body"])
async def test_what_never_comes_is_not_waited_for(ours: Callable[..., Awaitable[Port]], sent: bytes) -> None:
    """A head or a body that does not end within its deadline is told so, and the connection closed."""
    port = await ours(head=0.2, body=0.2)
    reader, writer = await port.connect()
    writer.write(sent)
    assert (408, TEXT, b"408 Request Timeout\n") == await read(reader)
    assert b"" == await reader.read()
    writer.close()


@pytest.mark.parametrize("sent", [b"", post(b"{}")], ids=["unused", "kept"])
async def test_an_idle_connection_is_closed_in_the_end(ours: Callable[..., Awaitable[Port]], sent: bytes) -> None:
    """Without a word."""
    port = await ours(head=0.2, idle=0.2)
    reader, writer = await port.connect()
    writer.write(sent)
    if sent:
        assert GOOD == await read(reader)
    async with asyncio.timeout(5):
        assert b"" == await reader.read()
    writer.close()


@pytest.mark.parametrize(
    "begun",
    [b"GET /livez HTTP/1.1\r\nX: ", chunked(b"{}")[:-2] + b"X: ", chunked(b"{}")[:-11] + b";a="],
    ids=["header", "trailer", "chunk-extension"],
)
async def test_a_line_without_end_is_refused_early(ours: Callable[..., Awaitable[Port]], begun: bytes) -> None:
    """The parser keeps it to itself until it is whole, so we count."""
    port = await ours()
    reader, writer = await port.connect()
    writer.write(begun)
    for _ in range(2 * HEAD_LIMIT // 1024):
        writer.write(b"x" * 1024)
        await writer.drain()
        await asyncio.sleep(0.001)
    assert 431 == (await read(reader))[0]
    writer.close()


async def test_a_refusal_reaches_a_client_that_is_still_sending(ours: Callable[..., Awaitable[Port]]) -> None:
    """Nothing is reset while the rest comes."""
    port = await ours()
    reader, writer = await port.connect()
    writer.write(post(b"")[:-5] + b"%d\r\n\r\n" % (2 * BODY_LIMIT))
    for _ in range(2 * BODY_LIMIT // 65536):
        writer.write(b" " * 65536)
        await writer.drain()
    assert 413 == (await read(reader))[0]
    writer.close()


@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
async def test_a_bug_is_an_answer_too(late: bool) -> None:
    """What the service raises is our fault: HTTP 500, and the connection goes on."""

    async def raising() -> Reply:
        raise RuntimeError("bug")

    def broken(_: bytes) -> Awaitable[Reply]:
        if late:
            return raising()
        raise RuntimeError("bug")

    async with Listener(broken, Readiness()).listen(0, host="127.0.0.1") as number:
        answers = await Port(number).exchange(post(b"{}"), get(b"/livez"), answers=2)
    assert [500, 200] == [status for status, _, _ in answers]


@pytest.mark.parametrize(
    "case, status",
    [("no-type", "415"), ("unknown-path", "404"), ("garbage", "400"), ("oversize-by-length", "413"), ("review", "")],
)
async def test_what_got_no_further_than_http_is_counted(
    ours: Callable[..., Awaitable[Port]], case: str, status: str
) -> None:
    """By status, so that an operator sees what the API server only reports as a failed call."""

    def counted() -> dict[str, float]:
        found = [sample for metric in REFUSED.collect() for sample in metric.samples if sample.name.endswith("_total")]
        return {sample.labels["status"]: sample.value for sample in found}

    port, before = await ours(), counted()
    await port.exchange(CASES[case][0])
    more = {each: value - before.get(each, 0) for each, value in counted().items() if value != before.get(each, 0)}
    assert ({status: 1} if status else {}) == more


async def test_who_stops_sends_clients_elsewhere_and_finishes() -> None:
    """While stopping, answers close their connections; what came in before the end is answered."""
    readiness = Readiness()
    listener = Listener(review, readiness)
    async with listener.listen(0, host="127.0.0.1") as number:
        port = Port(number)
        kept, slow = await port.connect(), await port.connect()
        kept[1].write(post(b"{}"))
        assert GOOD == await read(kept[0])
        readiness.stop()
        kept[1].write(post(b"{}"))
        assert GOOD == await read(kept[0])
        assert b"" == await kept[0].read()
        slow[1].write(post(b"wait"))
        await asyncio.sleep(0.02)
    assert (200, JSON, b'"waited"') == await read(slow[0])
    with pytest.raises(ConnectionRefusedError):
        await port.connect()
    for _, writer in (kept, slow):
        writer.close()


async def test_over_tls() -> None:
    """The same over TLS, and nonsense in its place is nobody's trouble."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with Listener(review, Readiness()).listen(0, context, host="127.0.0.1") as number:
        _, plain = await Port(number).connect()
        plain.write(post(b"{}"))
        port = Port(number, trusting)
        assert [GOOD, GOOD] == await port.exchange(post(b"{}") + chunked(b"{}"), answers=2)
        assert [CASES["oversize-by-length"][1]] == await port.exchange(CASES["oversize-by-length"][0])
        plain.close()
