"""What a port and its service have to do with each other: requests, answers, refusals, and deadlines.

`irsa.runtime.http1` speaks of them on the wire; what a request means is the service's business.
"""

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Protocol

import msgspec


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a connection may spend in a state."""

    head: float = 10.0  # from the first byte of a request, or the handshake, to the end of its headers
    body: float = 30.0  # nobody holds a connection by sending a body byte by byte
    idle: float = 120.0  # the API server drops idle connections after 90 s, SDKs sooner; we must not be first
    linger: float = 2.0  # discarding what still comes after a refusal
    write: float = 30.0  # the client does not read its answer


class Request(msgspec.Struct):
    """A request as far as it has come.

    Attributes:
        method: empty where not even the head came to an end.
        version: 1.0 or 1.1.
        headers: names in lower case, values as they stood on the wire, in their order.
        source: the client's address.
        size: bytes of body that came, also of one that nobody wants.
        reply: what was decided before the body came.
    """

    method: str
    target: str
    version: str
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool
    source: str
    secure: bool
    body: bytes | bytearray = b""
    size: int = 0
    reply: "Reply | None" = None
    refusal: HTTPStatus | None = None
    reason: str = ""


class Reply(Protocol):
    """An answer."""

    def written(self, *, keep_alive: bool, head_only: bool) -> bytes:
        """As it stands on the wire."""


class Service(Protocol):
    """What connections serve.

    Attributes:
        head_limit: bytes of target and headers, and of trailers.
        body_limit: bytes of a body.
    """

    head_limit: int
    body_limit: int

    def begin(self, request: Request) -> Reply | None:
        """The answer to a request whose body is not wanted, None to one that is to come whole.

        Raises:
            RefusedError: nothing more is to be read.
        """

    def answer(self, request: Request) -> Reply | Awaitable[Reply]:
        """The answer to a whole request, or what will give it."""

    def refuse(self, status: HTTPStatus, request: Request, reason: str) -> Reply | Awaitable[Reply]:
        """The answer to what is no whole request, or to one that met a bug of ours (500)."""

    @property
    def draining(self) -> bool:
        """Whether clients are to go elsewhere."""


class RefusedError(Exception):
    """A request that is not taken, and behind which nothing is read."""

    def __init__(self, status: HTTPStatus, reason: str = "") -> None:
        super().__init__(reason or status.phrase)
        self.status = status
