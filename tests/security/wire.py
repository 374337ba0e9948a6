"""Requests written byte by byte, for what no HTTP client would send."""

import contextlib
import socket
from collections.abc import Mapping

from sts.sigv4 import HttpRequest
from tests.sts.world import World


def sent(here: World, data: bytes, seconds: float = 10, end: bytes = b"") -> bytes:
    """All that comes back until the server closes the connection, or resets it over bytes that it has not read.

    Or, where `end` is given, until that has come.
    """
    with socket.create_connection(("127.0.0.1", int(here.endpoint.rpartition(":")[2])), seconds) as connection:
        connection.sendall(data)
        answer = bytearray()
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
                if end and end in answer:
                    break
        return bytes(answer)


def written(request: HttpRequest, changed: Mapping[str, bytes] | None = None) -> bytes:
    """A request on the wire, the last on its connection, with some headers' values replaced or added."""
    headers = {name: value.encode() for name, value in request.headers} | dict(changed or {})
    headers |= {"content-length": str(len(request.body)).encode(), "connection": b"close"}
    lines = [f"{request.method} {request.target} HTTP/1.1".encode()]
    lines += [name.encode() + b": " + value for name, value in headers.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + request.body


def status(answer: bytes) -> int:
    """Of the first answer."""
    return int(answer.split(b" ", 2)[1])
