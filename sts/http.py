"""What the port of STS and the gateway takes, and how its answers are written."""

import time
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from wsgiref.handlers import format_date_time

import msgspec

HEAD_LIMIT: Final = 96 * 1024  # bytes of target and headers; presigned and GET requests carry everything in the target
BODY_LIMIT: Final = 256 * 1024  # a token, a policy and fifty tags stay far below

_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Fault(Enum):
    """Why a request's body is not whole."""

    TOO_LARGE = "too large"
    TOO_SLOW = "too slow"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An answer; its Content-Length is written for it, unless `headers` have that of an answer to HEAD."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def written(self, *, keep_alive: bool, head_only: bool) -> bytes:
        """As it stands on the wire; by its Date SDKs correct their clocks."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        if self.status not in _BODILESS and "Content-Length" not in self.headers:
            lines += f"Content-Length: {len(self.body)}\r\n"
        if not keep_alive:
            lines += "Connection: close\r\n"
        status = _LINES.get(self.status) or f"HTTP/1.1 {self.status} -\r\n"
        head = f"{status}{lines}Date: {_date(int(time.time()))}\r\n\r\n".encode("latin-1", "replace")
        return head if head_only else head + self.body


def in_words(status: HTTPStatus) -> Reply:
    """For what got no further than HTTP."""
    return Reply(status, f"{int(status)} {status.phrase}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})


@lru_cache(maxsize=4)
def _date(seconds: int) -> str:
    return format_date_time(seconds)
