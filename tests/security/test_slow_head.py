"""Attack: connections that never send a whole request, to hold all that there are."""

import socket
import time

import pytest

from irsa.runtime.exchange import Deadlines
from tests.security.wire import sent
from tests.sts.world import World

REQUEST = b"GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\nHost: h\r\n"


@pytest.mark.parametrize(
    "begun, answer",
    [(b"", b""), (b"GET / HT", b"HTTP/1.1 408 Request Timeout"), (REQUEST, b"HTTP/1.1 408 Request Timeout")],
    ids=["nothing", "half a line", "no end of the headers"],
)
def test_a_connection_without_a_request_is_closed(aws: World, begun: bytes, answer: bytes) -> None:
    """Who has begun to ask is told why."""
    aws.listener.port.deadlines = Deadlines(head=0.3)
    assert answer == sent(aws, begun, seconds=20).partition(b"\r\n")[0]


def test_one_that_has_asked_stays(aws: World) -> None:
    """Not an attack: a pool's connection, idle between two calls for longer than the first one may take."""
    aws.listener.port.deadlines = Deadlines(head=0.5)
    with socket.create_connection(("127.0.0.1", int(aws.endpoint.rpartition(":")[2])), 20) as connection:
        for pause in (0.7, 0):
            connection.sendall(REQUEST + b"\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 403 ")
            time.sleep(pause)
