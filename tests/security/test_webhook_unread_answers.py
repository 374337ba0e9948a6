"""A client that asks without end and never reads the answers, to fill the webhook's memory with them."""

import asyncio
import resource
import ssl

import pytest
import trustme

from irsa.runtime.exchange import Deadlines
from irsa.runtime.health import Readiness
from webhook.listener import Listener
from webhook.routes import Reply

ASKS = b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" * 1000
ANSWER = b"x" * 4096


async def insist(writer: asyncio.StreamWriter) -> None:
    """Ask for two gigabytes."""
    for _ in range(500):
        writer.write(ASKS)
        async with asyncio.timeout(10):
            await writer.drain()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("slow", [False, True], ids=["at once", "later"])
async def test_answers_that_nobody_reads_are_not_heaped_up(tls: bool, slow: bool) -> None:
    """It is not read any more, and its connection is ended; others are served meanwhile."""
    answered = 0
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
    trusting = ssl.create_default_context() if tls else None
    if context and trusting:
        authority.issue_cert("localhost").configure_cert(context)
        authority.configure_trust(trusting)

    async def later() -> Reply:
        return Reply(200, ANSWER)

    def review(_: bytes) -> Reply:
        nonlocal answered
        answered += 1
        return later() if slow else Reply(200, ANSWER)  # type: ignore[return-value]

    names = {"server_hostname": "localhost"} if tls else {}
    listener = Listener(review, Readiness(), Deadlines(write=0.3, head=1.0))
    async with listener.listen(0, context, "127.0.0.1") as port:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, limit=1, **names)
        writer.transport.pause_reading()
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await insist(writer)
        assert answered < 50_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB
        writer.transport.abort()
        del reader
        other_reader, other = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, **names)
        other.write(ASKS[: len(ASKS) // 1000])
        async with asyncio.timeout(10):
            assert b"200" in await other_reader.readline()
        other.close()
