"""Two readers, one connection: bytes that a proxy takes for one request and we might take for two, or the reverse.

Nothing after an ambiguous head is ever answered, so nobody's review can be hidden in somebody else's. The same holds
for aiohttp's server, by which ours is measured.
"""

import asyncio
from typing import Any

import pytest

from irsa.runtime.health import Readiness
from tests.webhook.yardstick import Yardstick
from webhook.listener import Listener
from webhook.routes import Reply

HIDDEN = b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 6\r\n\r\nhidden"
HEAD = b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
AMBIGUOUS = {
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN),
    "two equal lengths": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 0\r\n\r\n",
    "a length in hex": b"Content-Length: 0x0\r\n\r\n",
    "a length with an underscore": b"Content-Length: 0_0\r\n\r\n",
    "a length of other digits": "Content-Length: \u0660\r\n\r\n".encode(),
    "a length beyond 64 bits": b"Content-Length: 18446744073709551616\r\n\r\n",
    "no length, but a space": b"Content-Length : 0\r\n\r\n",
    "an unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked behind a tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "an encoding on a folded line": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a chunk's length in another base": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "a chunk's negative length": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a chunk's length beyond 64 bits": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
    "a chunk that ends in a bare newline": b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "an extension with a newline": b"Transfer-Encoding: chunked\r\n\r\n2;a=\n\r\n{}\r\n0\r\n\r\n",
    "a bare return in a header": b"X: a\rContent-Length: 0\r\n\r\n",
    "a bare newline between headers": b"X: a\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("rest", AMBIGUOUS.values(), ids=list(AMBIGUOUS))
@pytest.mark.parametrize("server", [Listener, Yardstick], ids=["ours", "aiohttp"])
async def test_nothing_behind_an_ambiguous_head_is_answered(server: Any, rest: bytes) -> None:
    """One answer, 400, then the connection is closed."""
    seen: list[bytes] = []

    def review(body: bytes) -> Reply:
        seen.append(body)
        return Reply(200, b"{}")

    async with server(review, Readiness()).listen(0, host="127.0.0.1") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + rest + HIDDEN)
        writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
    assert b"hidden" not in seen
    assert 1 == answer.count(b"HTTP/1.")
    assert b" 400 Bad Request" == answer[8:24]
    assert answer.endswith(b"\r\n\r\n400 Bad Request\n")


async def test_a_request_in_a_body_is_a_body() -> None:
    """By length and in chunks."""
    seen: list[bytes] = []

    def review(body: bytes) -> Reply:
        seen.append(body)
        return Reply(200, b"{}")

    async with Listener(review, Readiness()).listen(0, host="127.0.0.1") as port:
        for framed in (
            b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
            b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD + framed)
            writer.write_eof()
            async with asyncio.timeout(10):
                assert 1 == (await reader.read()).count(b"HTTP/1.1 ")
            writer.close()
    assert [HIDDEN, HIDDEN] == seen
