"""What the port of STS and the gateway takes and gives: limits, deadlines, answers."""

import time
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from typing import Final, Protocol
from wsgiref.handlers import format_date_time

import msgspec

from sts.sigv4 import HttpRequest

HEAD_LIMIT: Final = 96 * 1024  # bytes of target and headers; presigned and GET requests carry everything in the target
BODY_LIMIT: Final = 256 * 1024  # a token, a policy and fifty tags stay far below


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a connection may spend in a state."""

    head: float = 10.0  # from the first byte of a request, or the handshake, to the end of its headers
    body: float = 30.0  # nobody holds a connection by sending a body byte by byte
    idle: float = 120.0  # clients drop connections that they do not use; we must not be first
    linger: float = 2.0  # discarding what still comes of a body that was refused
    write: float = 30.0  # the client does not read its answer


class Fault(Enum):
    """Why a request's body is not whole."""

    TOO_LARGE = "too large"
    TOO_SLOW = "too slow"


class Reply(msgspec.Struct, frozen=True):
    """An answer; its Content-Length is written for it, unless `headers` have that of an answer to HEAD."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Service(Protocol):
    """What connections serve."""

    async def answer(self, asked: HttpRequest, fault: Fault | None) -> Reply:
        """The answer to a request; the body of one with a fault is empty."""


MALFORMED: Final = Reply(400, b"400 Bad Request\n", {"Content-Type": "text/plain; charset=utf-8"})
_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


def written(reply: Reply, *, keep_alive: bool, head_only: bool) -> bytes:
    """An answer on the wire; by its Date SDKs correct their clocks."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in reply.headers.items()])
    if reply.status not in _BODILESS and "Content-Length" not in reply.headers:
        lines += f"Content-Length: {len(reply.body)}\r\n"
    if not keep_alive:
        lines += "Connection: close\r\n"
    status = _LINES.get(reply.status) or f"HTTP/1.1 {reply.status} -\r\n"
    head = f"{status}{lines}Date: {_date(int(time.time()))}\r\n\r\n".encode("latin-1", "replace")
    return head if head_only else head + reply.body


@lru_cache(maxsize=4)
def _date(seconds: int) -> str:
    return format_date_time(seconds)
