"""One HTTP/1.1 connection to the admission port, on llhttp's parser.

A review costs half of what aiohttp's server costs, since nothing is built that is not read. In return the rules of HTTP
are ours to keep: bodies by length or in chunks, `Expect: 100-continue`, pipelined requests answered in order, a limit
on head and body, a deadline for each state (`Connection.deadline`, which the listener looks at once a second), and an
answer that is not lost when the client is still sending (`_linger`).
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from enum import IntEnum
from http import HTTPStatus
from typing import Any, Final, Protocol

import httptools
import msgspec

from irsa.runtime.logs import Log
from webhook import routes
from webhook.routes import BODY_LIMIT, HEAD_LIMIT, Reply, Target

log: Final = Log("webhook.http")


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a connection may spend in a state."""

    head: float = 10.0  # from the first byte, or the handshake, to the end of the headers
    body: float = 30.0  # the API server gives up on a webhook after 30 s at most
    idle: float = 120.0  # the API server drops idle connections after 90 s; we must not be first
    linger: float = 2.0  # discarding what still comes after a refusal
    write: float = 30.0  # the client does not read its answer


class State(IntEnum):
    """What a connection waits for."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    ANSWER = 3
    LINGER = 4


class Service(Protocol):
    """What connections serve."""

    def review(self, body: bytes) -> Reply | Awaitable[Reply]:
        """The answer to an AdmissionReview, or what will give it."""

    def health(self, target: Target) -> Reply:
        """The answer to a probe."""

    def grown(self, connection: "Connection", size: int) -> None:
        """A connection's largest body has grown by `size` bytes."""

    def refused(self, status: int) -> None:
        """A request got no further than HTTP."""

    @property
    def draining(self) -> bool:
        """Whether clients are to go elsewhere."""


class Request(msgspec.Struct):
    """A request as far as it has come."""

    target: Target | Reply
    keep_alive: bool
    head_only: bool
    body: bytes | bytearray = b""
    size: int = 0


class Connection(asyncio.Protocol):
    """A connection; `joined` and `left` tell the listener of it.

    Attributes:
        weight: bytes of its largest body so far; buffers of that size stay with it as long as it lives.
    """

    def __init__(
        self,
        service: Service,
        deadlines: Deadlines,
        joined: Callable[["Connection"], None],
        left: Callable[["Connection"], None],
    ) -> None:
        self._service = service
        # By state; an answer has a deadline of its own.
        self._seconds = (deadlines.idle, deadlines.head, deadlines.body, deadlines.idle, deadlines.linger)
        self._write_seconds = deadlines.write
        self._joined = joined
        self._left = left
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Request] = deque()  # complete, behind one that is being answered
        self._pending: asyncio.Task[None] | None = None  # answers that one
        self._current: Request | None = None  # its body is coming
        self._last = False  # nothing after what is being answered is of interest
        self._unread = False  # answers wait for the client
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._in_head = False
        self._head_size = 0
        self._told = False  # whether llhttp made anything of the latest bytes
        self._stalled = 0  # bytes since it last did
        self.weight = 0
        self._enter(State.HEAD)

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is done."""
        self._transport = transport
        self._joined(self)

    def connection_lost(self, _: Exception | None) -> None:
        """It is gone; whoever was to be answered is not."""
        if self._pending is not None:
            self._pending.cancel()
        self._left(self)
        self._parser = self._current = None  # a circle otherwise, which would keep what it holds until a collection

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come."""
        if self._last:
            return
        self._told = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # answered as any request; what follows would not be HTTP
            self._last = True
            self._linger()
        except httptools.HttpParserError as problem:
            cause = problem.__context__
            self._refuse(cause.status if isinstance(cause, _Refused) else HTTPStatus.BAD_REQUEST)
        # A header, or a trailer behind chunks, is kept by llhttp until it is whole: one without an end shows only here.
        self._stalled = 0 if self._told else self._stalled + len(data)
        if self._stalled > HEAD_LIMIT:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def eof_received(self) -> bool:
        """The client sends no more; what it has sent is answered, which over TLS must be at once."""
        self._last = True
        return self._pending is not None and self._transport.get_extra_info("sslcontext") is None

    def pause_writing(self) -> None:
        """The client does not read, so it is not read either: what it sends would only add to what waits for it."""
        self.deadline = self._loop.time() + self._write_seconds
        self._unread = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._unread = False
        self._enter(self.state)
        self._go_on()

    # -- llhttp's side

    def on_message_begin(self) -> None:
        """A request begins, perhaps behind another one in the same bytes."""
        self._url, self._headers, self._head_size, self._in_head = b"", {}, 0, True
        if self._pending is None:
            self._enter(State.HEAD)

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        self._told = True
        self._url += url
        self._head_size += len(url)
        if self._head_size > HEAD_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or trailer."""
        self._told = True
        self._headers[name.lower()] = value
        self._head_size += len(name) + len(value)
        if self._head_size > HEAD_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Decide what the body is for before it comes."""
        self._told = True
        self._in_head = False
        if self._parser.get_http_version() not in {"1.1", "1.0"}:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        method = self._parser.get_method().decode("latin-1")
        content_type = self._headers.get(b"content-type", b"").decode("latin-1")
        target = routes.route(method, self._url.decode("latin-1"), content_type)
        if int(self._headers.get(b"content-length", b"0")[:20]) > BODY_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self._current = Request(target, self._parser.should_keep_alive(), method == "HEAD")
        if self._pending is None:
            self._enter(State.BODY)
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """A part of the body; kept only where it is wanted."""
        self._told = True
        request = self._current
        assert request is not None  # noqa: S101 -- llhttp gives the headers first
        request.size += len(part)
        if request.size > BODY_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if request.target is Target.REVIEW:
            if not request.body:
                request.body = part
            else:  # not a list of parts: in chunks of two bytes it would weigh thirty times as much
                request.body = request.body if isinstance(request.body, bytearray) else bytearray(request.body)
                request.body += part
        if request.size > self.weight:
            size, self.weight = request.size - self.weight, request.size
            self._service.grown(self, size)
            if self._last:  # there was no room
                raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE)

    def on_message_complete(self) -> None:
        """Answer, or wait for one's turn."""
        self._told = True
        request, self._current = self._current, None
        assert request is not None  # noqa: S101 -- llhttp gives the headers first
        if self._last:
            return
        if self._pending is not None or self._unread:
            self._waiting.append(request)
        else:
            self._serve(request)

    # -- answers

    def _serve(self, request: Request) -> None:
        answer = self._answer(request)
        if isinstance(answer, Reply):
            self._write(request, answer)
            return
        self._enter(State.ANSWER)
        self._transport.pause_reading()
        self._pending = self._loop.create_task(self._later(request, answer))

    def _answer(self, request: Request) -> Reply | Awaitable[Reply]:
        if isinstance(request.target, Reply):
            self._service.refused(request.target.status)
            return request.target
        if request.target is not Target.REVIEW:
            return self._service.health(request.target)
        try:
            return self._service.review(bytes(request.body))
        except Exception as bug:  # noqa: BLE001 -- the parser would take it for the client's fault
            return _bug(bug)

    async def _later(self, request: Request, answer: Awaitable[Reply]) -> None:
        try:
            reply = await answer
        except Exception as bug:  # noqa: BLE001 -- nobody else would answer
            reply = _bug(bug)
        self._pending = None
        self._write(request, reply)
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and not self._busy():
            self._serve(self._waiting.popleft())
        if not self._busy():
            self._transport.resume_reading()

    def _busy(self) -> bool:
        return self._pending is not None or self._unread or self._last

    def _write(self, request: Request, reply: Reply) -> None:
        keep = request.keep_alive and not self._last and not self._service.draining
        if keep:  # first, since writing may find that the client does not read, which has a deadline of its own
            self._enter(State.HEAD if self._in_head else State.BODY if self._current else State.IDLE)
        self._transport.write(head(reply, keep_alive=keep) + (b"" if request.head_only else reply.body))
        if not keep:
            self._last = True
            self._transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        if self._last:
            return
        self._last = True
        self._service.refused(status)
        self._waiting.clear()
        self._current = None
        if self._pending is None:  # else its answer is the last that this connection sees
            reply = routes.problem(status)
            self._transport.write(head(reply, keep_alive=False) + reply.body)
            self._linger()

    def _linger(self) -> None:
        # To close at once, while the client is still sending, would reset the connection and lose the answer.
        self._enter(State.LINGER)

    # -- the listener's side

    @property
    def waiting_since(self) -> float:
        """Since when, on the loop's clock, it has waited for the client; infinite while the client waits for us."""
        return math.inf if self.state is State.ANSWER else self.deadline - self._seconds[self.state]

    def shed(self) -> None:
        """Give the memory back: with the answer that is due, else at once."""
        self._last = True
        if self._pending is None:
            self._current = None
            self._waiting.clear()
            self._transport.abort()

    def expired(self) -> None:
        """The deadline is over: a request that has begun is told so; then the connection is closed."""
        if self._in_head or self._current is not None:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def drain(self) -> None:
        """The listener ends: close where nothing is under way."""
        if self.state in {State.IDLE, State.LINGER} or (self.state is State.HEAD and not self._in_head):
            self._transport.close()

    def abort(self) -> None:
        """Close whatever is under way."""
        self._transport.abort()

    def _enter(self, state: State) -> None:
        self.state = state
        if not self._unread:
            self.deadline = self._loop.time() + self._seconds[state]


class _Refused(Exception):  # noqa: N818 -- the request is
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


def _bug(bug: Exception) -> Reply:
    log.error("bug: request not answered", exception=bug)
    return routes.problem(HTTPStatus.INTERNAL_SERVER_ERROR)


_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


def head(reply: Reply, *, keep_alive: bool) -> bytes:
    """Status line and headers of an answer."""
    allow = f"Allow: {reply.allow}\r\n" if reply.allow else ""
    close = "" if keep_alive else "Connection: close\r\n"
    return (
        f"{_LINES[reply.status]}Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n"
        f"{allow}{close}\r\n"
    ).encode()
