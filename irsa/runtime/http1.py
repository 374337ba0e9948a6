"""One HTTP/1.1 connection, on llhttp's parser.

A request costs half or less of what aiohttp's server costs, since nothing is built that is not read. In return the
rules of HTTP are ours to keep: bodies by length or in chunks, `Expect: 100-continue`, pipelined requests answered in
order, limits of head and body, a deadline for each state (`Connection.deadline`, which the port looks at), and an
answer that is not lost when the client is still sending (`_end`). What is no HTTP, or could be read in two ways, is
refused in its turn, and nothing behind it is read. What a request means is the service's business alone.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable
from enum import IntEnum
from http import HTTPStatus
from typing import Any, Final, Protocol

import httptools

from irsa.runtime.exchange import Deadlines, RefusedError, Reply, Request, Service
from irsa.runtime.logs import Log

log: Final = Log("irsa.http")

_ENTRY_BYTES: Final = 32  # what a header weighs beside its text, as HTTP/2 reckons (RFC 9113 section 6.5.2)


class State(IntEnum):
    """What a connection waits for."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    ANSWER = 3
    LINGER = 4


class Port(Protocol):
    """Where connections come from."""

    def joined(self, connection: "Connection") -> None:
        """A connection is there."""

    def left(self, connection: "Connection") -> None:
        """It is gone."""

    def grown(self, size: int) -> None:
        """A connection's largest body has grown by `size` bytes."""


class Connection(asyncio.Protocol):
    """A connection.

    Attributes:
        state: what it waits for.
        weight: bytes of its largest body so far; buffers of that size stay with it as long as it lives.
    """

    def __init__(self, service: Service, deadlines: Deadlines, port: Port) -> None:
        self._service = service
        # By state; what an answer waits for has deadlines of its own.
        self._seconds = (deadlines.idle, deadlines.head, deadlines.body, math.inf, deadlines.linger)
        self._write_seconds = deadlines.write
        self._since = self._received = 0.0  # since when it waits, and when the latest bytes came, by the loop's clock
        self._head_limit, self._body_limit = service.head_limit, service.body_limit
        self._port = port
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._source, self._secure = "", False
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Request] = deque()  # complete, behind one that is being answered
        self._pending: asyncio.Task[None] | None = None  # answers that one
        self._current: Request | None = None  # its body is coming
        self._last = False  # nothing that still comes is of interest
        self._unread = False  # answers wait for the client
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
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
        peer = transport.get_extra_info("peername")
        self._source = str(peer[0]) if peer else ""
        self._secure = transport.get_extra_info("sslcontext") is not None
        self._port.joined(self)

    def connection_lost(self, _: Exception | None) -> None:
        """It is gone; what is being decided is decided, and nobody gets the answer."""
        self._last = True
        self._waiting.clear()
        self._port.left(self)
        self._parser = self._current = None  # a circle otherwise, which would keep what it holds until a collection

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come."""
        if self._last:
            return
        self._told = False
        self._received = self._loop.time()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # answered as any request; what follows would not be HTTP
            self._last = True
        except httptools.HttpParserError as problem:
            cause = problem.__context__
            if isinstance(cause, RefusedError):
                self._refuse(cause.status, str(cause))
            else:
                self._refuse(HTTPStatus.BAD_REQUEST, str(cause or problem))
        # A header, a trailer or a chunk's extension is kept by llhttp until it is whole; here one without end shows.
        self._stalled = 0 if self._told else self._stalled + len(data)
        if self._stalled > self._head_limit:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "a line without an end")

    def eof_received(self) -> bool:
        """The client sends no more; what it has sent is answered, which over TLS must be at once."""
        self._last = True
        return self._pending is not None and not self._secure

    def pause_writing(self) -> None:
        """The client does not read, so it is not read either: what it sends would only add to what waits for it."""
        self._since = self._loop.time()
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
        self._target, self._headers, self._head_size, self._in_head = b"", [], 0, True
        if self._pending is None:
            self._enter(State.HEAD, self._received)

    def on_url(self, part: bytes) -> None:
        """A part of the request's target."""
        self._count(len(part))
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; trailers are counted and passed over."""
        self._count(len(name) + len(value) + _ENTRY_BYTES)
        if self._in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Decide on the body before it comes."""
        self._told, self._in_head = True, False
        parser = self._parser
        version = parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "another version of HTTP")
        self._current = request = Request(
            parser.get_method().decode("latin-1"),
            self._target.decode("latin-1"),
            version,
            self._headers,
            parser.should_keep_alive() and not parser.should_upgrade(),
            self._source,
            self._secure,
        )
        expects = False
        for name, value in self._headers:
            # More digits than that are slow to read, and too large in any case.
            if name == b"content-length" and (len(value) > 20 or int(value) > self._body_limit):  # noqa: PLR2004
                raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            expects = expects or (name == b"expect" and value.lower() == b"100-continue")
        request.reply = self._service.begin(request)
        if self._pending is None:
            self._enter(State.BODY, self._received)
            if expects:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """A part of the body; kept only where it is wanted."""
        self._told = True
        request = self._current
        assert request is not None  # noqa: S101 -- llhttp gives the headers first
        request.size += len(part)
        if request.size > self._body_limit:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if request.reply is None:
            if not request.body:
                request.body = part
            else:  # not a list of parts: in chunks of two bytes it would weigh thirty times as much
                request.body = request.body if isinstance(request.body, bytearray) else bytearray(request.body)
                request.body += part
        if request.size > self.weight:
            size, self.weight = request.size - self.weight, request.size
            self._port.grown(size)
            if self._last:  # there was no room
                raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE)

    def on_message_complete(self) -> None:
        """Answer, or wait for one's turn."""
        self._told = True
        request, self._current = self._current, None
        assert request is not None  # noqa: S101 -- llhttp gives the headers first
        if not self._last:
            self._take(request)

    def _count(self, size: int) -> None:
        self._told = True
        self._head_size += size
        if self._head_size > self._head_limit:
            raise RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    # -- answers

    def _take(self, request: Request) -> None:
        if self._pending is not None or self._unread:
            self._waiting.append(request)
        else:
            self._serve(request)

    def _serve(self, request: Request) -> None:
        answer = self._answer(request)
        if hasattr(answer, "__await__"):
            self._enter(State.ANSWER)
            self._transport.pause_reading()
            self._pending = self._loop.create_task(self._later(request, answer))
        else:
            self._write(request, answer)

    def _answer(self, request: Request) -> Any:  # noqa: ANN401 -- Reply | Awaitable[Reply], told apart by its caller
        if request.reply is not None:
            return request.reply
        try:
            if request.refusal is not None:
                return self._service.refuse(request.refusal, request, request.reason)
            return self._service.answer(request)
        except Exception as bug:  # noqa: BLE001 -- the parser would take it for the client's fault
            return self._bug(request, bug)

    async def _later(self, request: Request, answer: Awaitable[Reply]) -> None:
        try:
            reply: Any = await answer
        except Exception as bug:  # noqa: BLE001 -- nobody else would answer
            reply = self._bug(request, bug)
            reply = await reply if hasattr(reply, "__await__") else reply
        self._pending = None
        if not self._transport.is_closing():
            self._write(request, reply)
            self._go_on()

    def _bug(self, request: Request, bug: Exception) -> Any:  # noqa: ANN401 -- as `_answer`
        log.error("bug: request not answered", exception=bug)
        return self._service.refuse(HTTPStatus.INTERNAL_SERVER_ERROR, request, "bug")

    def _go_on(self) -> None:
        while self._waiting and self._pending is None and not self._unread:
            self._serve(self._waiting.popleft())
        if self._pending is None and not self._unread and not self._transport.is_closing():
            self._transport.resume_reading()

    def _write(self, request: Request, reply: Reply) -> None:
        keep = request.keep_alive and not self._service.draining and not (self._last and not self._waiting)
        if keep:  # first, since writing may find that the client does not read, which has a deadline of its own
            self._enter(State.HEAD if self._in_head else State.BODY if self._current else State.IDLE)
        self._transport.write(reply.written(keep_alive=keep, head_only=request.method == "HEAD"))
        if not keep:
            self._end(lingers=request.refusal is not None)

    def _end(self, *, lingers: bool) -> None:
        self._last = True
        self._current = None
        self._waiting.clear()
        if lingers:
            # To close at once, while the client is still sending, would reset the connection and lose the answer
            # (RFC 9112 section 9.6); a client that reads to the end has it all the same, where half can be closed.
            self._enter(State.LINGER)
            if self._transport.can_write_eof():
                self._transport.write_eof()
        else:
            self._transport.close()

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """What is coming will not be whole: it is answered in its turn, and nothing behind it is read."""
        if self._last:
            return
        self._last = True
        request = self._current or Request("", "", "", [], keep_alive=False, source=self._source, secure=self._secure)
        self._current, self._in_head = None, False
        request.keep_alive, request.body, request.reply = False, b"", None
        request.refusal, request.reason = status, reason
        self._take(request)

    # -- the port's side

    @property
    def deadline(self) -> float:
        """By the loop's clock, when `expired` is to be called."""
        return self._since + (self._write_seconds if self._unread else self._seconds[self.state])

    @property
    def waiting_since(self) -> float:
        """Since when, on the loop's clock, it has waited for the client; infinite while the client waits for us."""
        return math.inf if self.state is State.ANSWER else self._since

    def shed(self) -> None:
        """Give the memory back: with the answer that is due, else at once."""
        self._last = True
        self._waiting.clear()
        if self._pending is None:
            self._transport.abort()

    def expired(self) -> None:
        """The deadline is over: a request that has begun is told so; then the connection is closed."""
        if not self._unread and (self._in_head or self._current is not None):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "not in time")
        if self._pending is not None and not self._unread:
            return  # the refusal is the last that this connection sees
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def drain(self) -> None:
        """The port ends: close where nothing is under way."""
        if self._pending is None and self._current is None and not self._in_head:
            self._transport.close()

    def abort(self) -> None:
        """Close whatever is under way."""
        self._transport.abort()

    def _enter(self, state: State, now: float = 0.0) -> None:
        self.state = state
        if not self._unread:
            self._since = now or self._loop.time()
