"""Attack: a body that never ends, to hold a connection and what is kept for it."""

import pytest

from irsa.runtime.exchange import Deadlines
from tests.security.wire import sent
from tests.sts.world import World

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "rest",
    [b"Content-Length: 100\r\n\r\nAction=", b"Transfer-Encoding: chunked\r\n\r\n64\r\nAction="],
    ids=["length", "chunks"],
)
def test_a_body_has_to_come_in_time(aws: World, rest: bytes) -> None:
    """After the deadline the client is told, and soon the connection is closed."""
    aws.listener.port.deadlines = Deadlines(body=0.2)
    answer = sent(aws, HEAD + rest, 30, b"</ErrorResponse>")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Code>RequestTimeout</Code>" in answer


def test_a_head_has_an_end(aws: World) -> None:
    """Fifty megabytes of headers are not kept: the connection is closed on them."""
    head = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"x-%d: %b\r\n" % (n, b"a" * 50_000) for n in range(1000))
    try:
        answer = sent(aws, head)
    except OSError:
        return  # reset while it was still sending
    assert answer.startswith(b"HTTP/1.1 431 ")
