"""Which requests the admission port takes, and the words for those that it does not.

Pure, and the same for any HTTP server: what is decided by method, path and headers is decided before a body is read.
"""

from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from typing import Final

import msgspec

BODY_LIMIT: Final = 7 * 1024 * 1024  # bytes: two objects of etcd's 1.5 MB, escaped, with room; as controller-runtime's
HEAD_LIMIT: Final = 16 * 1024  # bytes of request line and headers

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"


_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer; `allow` are the methods, where another was used."""

    status: int
    body: bytes
    content_type: str = JSON
    allow: str = ""

    def written(self, *, keep_alive: bool, head_only: bool) -> bytes:
        """As it stands on the wire; one to HEAD has the length of the body that it lacks."""
        allow = f"Allow: {self.allow}\r\n" if self.allow else ""
        close = "" if keep_alive else "Connection: close\r\n"
        head = (
            f"{_LINES[self.status]}Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n"
            f"{allow}{close}\r\n"
        ).encode()
        return head if head_only else head + self.body


class Target(Enum):
    """What a request is for."""

    REVIEW = "review"
    LIVE = "live"
    READY = "ready"


_PATHS: Final = {
    "/mutate": (Target.REVIEW, ("POST",)),
    "/healthz": (Target.LIVE, ("GET", "HEAD")),
    "/livez": (Target.LIVE, ("GET", "HEAD")),
    "/readyz": (Target.READY, ("GET", "HEAD")),
}


@lru_cache(maxsize=16)
def route(method: str, path: str, content_type: str) -> Target | Reply:
    """What a request is for, or its refusal; the query (the API server appends `?timeout=10s`) does not count."""
    found = _PATHS.get(path.partition("?")[0])
    if found is None:
        return problem(HTTPStatus.NOT_FOUND)
    target, methods = found
    if method not in methods:
        return problem(HTTPStatus.METHOD_NOT_ALLOWED, allow=",".join(methods))
    if target is Target.REVIEW and content_type.partition(";")[0].strip().lower() != JSON:
        words = b"Invalid Content-Type, expected `application/json`\n"
        return Reply(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, words, TEXT)
    return target


def problem(status: HTTPStatus, allow: str = "") -> Reply:
    """The status in words."""
    return Reply(status, f"{int(status)} {status.phrase}\n".encode(), TEXT, allow)
