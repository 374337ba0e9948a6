"""Attack: bytes that a proxy takes for one request and the STS for two, or the reverse."""

import pytest

from tests.security.test_webhook_request_smuggling import AMBIGUOUS
from tests.security.wire import sent
from tests.sts.world import World

HIDDEN = b"GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.mark.parametrize("rest", AMBIGUOUS.values(), ids=list(AMBIGUOUS))
def test_nothing_behind_an_ambiguous_head_is_answered(aws: World, rest: bytes) -> None:
    """400, and the connection is closed."""
    answer = sent(aws, HEAD + rest + HIDDEN)
    assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert b"MissingAuthenticationToken" not in answer


@pytest.mark.parametrize("chunked", [False, True], ids=["by length", "in chunks"])
def test_a_request_in_a_body_is_a_body(aws: World, chunked: bool) -> None:
    """One answer, to the one request that came: its form has no Action."""
    framed = (
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
        if chunked
        else b"Content-Length: %d\r\n\r\n%b" % (len(HIDDEN), HIDDEN)
    )
    answer = sent(aws, HEAD + b"Connection: close\r\n" + framed)
    assert 1 == answer.count(b"HTTP/1.1 ")
    assert b"MissingAuthenticationToken" not in answer


def test_two_hosts_are_none(aws: World) -> None:
    """A proxy routes by one of them, and the signature may be of the other."""
    answer = sent(aws, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
