"""Clients that hold many connections, or many bodies, open at once, to fill the webhook's memory or to lock others out.

Whoever can reach the port may do that. Room is made at the expense of who takes most of it, and the API server gets in.
"""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Callable

import pytest

from irsa.runtime.exchange import Deadlines
from irsa.runtime.health import Readiness
from webhook.listener import BODIES_LIMIT, CONNECTIONS_LIMIT, SHED, Listener
from webhook.routes import BODY_LIMIT, Reply

HEAD = b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
REVIEW = HEAD % 2 + b"{}"
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], "contextlib._AsyncGeneratorContextManager[Client]"]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes connections to a listener."""
    patient = Deadlines(head=300.0, body=300.0, idle=300.0)  # what is shown here is not that waiting has an end
    listener = Listener(lambda body: Reply(200, b"%d" % len(body)), Readiness(), patient)
    async with listener.listen(0, host="127.0.0.1") as port:

        @contextlib.asynccontextmanager
        async def make() -> AsyncIterator[Client]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                yield reader, writer
            finally:
                writer.transport.abort()

        yield make


async def answered(client: Client, sent: bytes = REVIEW) -> bool:
    """Whether a request is answered with 200, whole."""
    reader, writer = client
    writer.write(sent)
    async with asyncio.timeout(20):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
    return head.startswith(b"HTTP/1.1 200 ")


def shed(reason: str) -> float:
    return SHED.labels(reason)._value.get()  # type: ignore[no-any-return]


async def test_more_bodies_than_there_is_room_for(connect: Connect) -> None:
    """The largest go, a small review beside them is answered, and memory stays within what the limit says."""
    before, closed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, shed("bodies")
    async with contextlib.AsyncExitStack() as stack:
        early = await stack.enter_async_context(connect())
        assert await answered(early)
        hoard = [await stack.enter_async_context(connect()) for _ in range(20)]
        size = BODY_LIMIT - 1
        for _, writer in hoard:
            writer.write(HEAD % size + b" " * (size - 1))
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(writer.drain(), 20)
            assert await answered(early)
        assert await answered(await stack.enter_async_context(connect()))
        kept = [await answered(client, b" ") for client in hoard]
    room = BODIES_LIMIT // size
    assert (room, 20 - room) == (kept.count(True), shed("bodies") - closed)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 160 * 1024  # KiB, the hoarders' own included


async def test_a_body_in_the_smallest_of_chunks_weighs_no_more(connect: Connect) -> None:
    """Two bytes each: a list of such parts would weigh thirty times what they hold."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with connect() as client:
        client[1].write(
            b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(200):
            client[1].write(b"2\r\n  \r\n" * 10_000)
            await client[1].drain()
        assert await answered(client, b"0\r\n\r\n")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024  # KiB


@pytest.mark.parametrize(
    "sent",
    [b"", REVIEW, b"POST /mu", REVIEW[:-1]],
    ids=["nothing", "a review, then nothing", "half a head", "half a body"],
)
async def test_more_connections_than_there_is_room_for(connect: Connect, sent: bytes) -> None:
    """The ones that have kept us waiting longest go; whoever comes, and who asks now and then, is served."""
    closed = shed("connections")
    async with contextlib.AsyncExitStack() as stack:
        hoard = [await stack.enter_async_context(connect()) for _ in range(CONNECTIONS_LIMIT - 1)]
        for client in hoard:
            client[1].write(sent)
        early = await stack.enter_async_context(connect())
        assert await answered(early)
        for _ in range(20):
            assert await answered(await stack.enter_async_context(connect()))
            assert await answered(early)
    assert 20 == shed("connections") - closed
