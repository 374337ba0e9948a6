"""One HTTP/1.1 connection, on llhttp's parser.

A call costs a third less than on aiohttp's server, since nothing is built that is not read. In return the rules of HTTP
are ours to keep: bodies by length or in chunks, `Expect: 100-continue`, pipelined requests answered in order, limits on
head and body, a deadline for each state (`deadline`, which the listener looks at), and an answer that is not lost when
the client is still sending. What is no HTTP, or could be read in two ways, is answered with 400, and that is the end.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import httptools
import msgspec

from irsa.runtime.logs import Log
from sts.http import BODY_LIMIT, HEAD_LIMIT, MALFORMED, Deadlines, Fault, Service, written
from sts.sigv4 import HttpRequest

log: Final = Log("sts.http")

_ENTRY_BYTES: Final = 32  # what a header weighs beside its text, as HTTP/2 reckons (RFC 9113 section 6.5.2)


class Request(msgspec.Struct):
    """A request as far as it has come."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    keep_alive: bool
    body: bytearray = msgspec.field(default_factory=bytearray)
    fault: Fault | None = None


class Connection(asyncio.Protocol):
    """A connection; `joined` and `left` tell the listener of it.

    Attributes:
        deadline: by the loop's clock, when `expired` is to be called.
    """

    def __init__(
        self,
        service: Service,
        deadlines: Deadlines,
        joined: Callable[["Connection"], None],
        left: Callable[["Connection"], None],
    ) -> None:
        self._service = service
        self._deadlines = deadlines
        self._joined = joined
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._source, self._secure = "", False
        self._target, self._headers = b"", list[tuple[str, str]]()
        self._in_head = False
        self._size = 0  # bytes of the head, and of trailers
        self._told, self._silent = False, 0  # whether llhttp made anything of the latest bytes, and how many since
        self._current: Request | None = None  # its body is coming
        self._waiting = deque[Request]()  # whole, behind one that is being answered
        self._pending: asyncio.Task[None] | None = None  # answers that one
        self._unread = False  # answers wait for the client
        self._last = False  # what still comes is of no interest
        self._within(deadlines.head)

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is done."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._source = str(peer[0]) if peer else ""
        self._secure = transport.get_extra_info("sslcontext") is not None
        self._joined(self)

    def connection_lost(self, _: Exception | None) -> None:
        """It is gone; what is being decided is decided, and nobody gets the answer."""
        self._last = True
        self._waiting.clear()
        self._left(self)
        self._parser = self._current = None  # a circle otherwise, which would stay until a collection

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come."""
        if self._last:
            return
        self._told = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # answered as any request; what follows would not be HTTP
            self._last = True
        except httptools.HttpParserError as problem:
            self._malformed(str(problem.__context__ or problem))
        # llhttp keeps a header, a trailer or a chunk's extension to itself until it is whole.
        self._silent = 0 if self._told else self._silent + len(data)
        if self._silent > HEAD_LIMIT:
            self._malformed("a line without an end")

    def eof_received(self) -> bool:
        """The client sends no more; what it has sent is answered, which over TLS must be at once."""
        self._last = True
        return self._pending is not None and not self._secure

    def pause_writing(self) -> None:
        """The client does not read, so it is not read either."""
        self._within(self._deadlines.write)
        self._unread = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._unread = False
        self._within(self._deadlines.idle)
        self._go_on()

    # -- llhttp's side

    def on_message_begin(self) -> None:
        """A request begins, perhaps behind another one in the same bytes."""
        self._target, self._headers, self._size, self._in_head = b"", [], 0, True
        if self._pending is None:
            self._within(self._deadlines.head)

    def on_url(self, part: bytes) -> None:
        """A part of the request's target."""
        self._count(len(part))
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; trailers are counted and passed over."""
        self._count(len(name) + len(value) + _ENTRY_BYTES)
        if self._in_head:
            # As it stood on the wire: what is no UTF-8 becomes surrogates, and is signed as those bytes.
            text = value.strip(b" \t").decode(errors="surrogateescape")
            self._headers.append((name.decode("latin-1").lower(), text))

    def on_headers_complete(self) -> None:
        """Decide on the body before it comes."""
        self._told, self._in_head = True, False
        if self._last:
            return
        hosts, length, expects = 0, "0", False
        for name, value in self._headers:
            if name == "host":
                hosts += 1
            elif name == "content-length":
                length = value
            elif name == "expect":
                expects = value.lower() == "100-continue"
        if hosts > 1 or self._parser.get_http_version() not in ({"1.1", "1.0"} if hosts else {"1.0"}):
            raise ValueError("another version of HTTP, or not one Host")
        method = self._parser.get_method().decode("latin-1")
        target = self._target.decode("latin-1")
        self._current = Request(method, target, self._headers, self._parser.should_keep_alive())
        if len(length) > 9 or int(length) > BODY_LIMIT:  # noqa: PLR2004 -- digits; to read more of them is slow
            self._fail(Fault.TOO_LARGE)
        elif self._pending is None:
            self._within(self._deadlines.body)
            if expects:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._told = True
        if self._current is not None:
            self._current.body += part
            if len(self._current.body) > BODY_LIMIT:
                self._fail(Fault.TOO_LARGE)

    def on_message_complete(self) -> None:
        """Answer, or wait for one's turn."""
        self._told = True
        request, self._current = self._current, None
        if request is not None:
            self._take(request)

    def _count(self, size: int) -> None:
        self._told = True
        self._size += size
        if self._size > HEAD_LIMIT:
            raise ValueError(f"a head of more than {HEAD_LIMIT} bytes")

    # -- answers

    def _fail(self, fault: Fault) -> None:
        """The request that is coming will not be whole: it is answered, and nothing behind it."""
        request, self._current, self._last = self._current, None, True
        if request is not None:
            request.fault, request.keep_alive, request.body = fault, False, bytearray()
            self._take(request)

    def _take(self, request: Request) -> None:
        if self._pending is None and not self._unread:
            self._serve(request)
        else:
            self._waiting.append(request)
            self._transport.pause_reading()

    def _serve(self, request: Request) -> None:
        self._within(math.inf)  # what a decision waits for has deadlines of its own
        self._pending = self._loop.create_task(self._answer(request))

    async def _answer(self, request: Request) -> None:
        asked = HttpRequest(
            request.method, request.target, request.headers, bytes(request.body), self._source, self._secure
        )
        try:
            reply = await self._service.answer(asked, request.fault)
        except Exception as bug:  # noqa: BLE001 -- the service answers for its own; nobody is to wait for what it missed
            log.error("bug: request not answered", exception=bug)
            self._transport.abort()
            return
        self._pending = None
        if self._transport.is_closing():
            return
        keep = request.keep_alive and (not self._last or bool(self._waiting))
        self._within(self._deadlines.idle)
        self._transport.write(written(reply, keep_alive=keep, head_only=request.method == "HEAD"))
        if keep:
            self._go_on()
        else:
            self._end(lingers=request.fault is not None)

    def _end(self, *, lingers: bool) -> None:
        self._last = True
        self._waiting.clear()
        if lingers:
            # To close at once, while the client is still sending, would reset the connection and lose the answer.
            self._within(self._deadlines.linger)
            self._transport.resume_reading()
        else:
            self._transport.close()

    def _go_on(self) -> None:
        if self._pending is not None or self._unread:
            return
        if self._waiting:
            self._serve(self._waiting.popleft())
            return
        if self._current is not None:
            self._within(self._deadlines.body)
        elif self._in_head:
            self._within(self._deadlines.head)
        self._transport.resume_reading()

    def _malformed(self, problem: str) -> None:
        """The client's fault: one line in the log, no trace, and no more of this connection."""
        if self._last:
            return
        log.warning("malformed request", reason=problem.partition("\n")[0][:128], source=self._source)
        self._last, self._current = True, None
        self._waiting.clear()
        if self._pending is None:  # else its answer is the last that this connection sees
            self._transport.write(written(MALFORMED, keep_alive=False, head_only=False))
            self._transport.close()

    # -- the listener's side

    def expired(self) -> None:
        """The deadline is over: who has sent a part of a body is told so; else the connection is closed."""
        if self._current is not None and not self._unread:
            self._fail(Fault.TOO_SLOW)
        elif self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def drain(self) -> None:
        """The listener ends: close where nothing is under way."""
        if self._pending is None and self._current is None and not self._in_head:
            self._transport.close()

    def abort(self) -> None:
        """Close whatever is under way."""
        self._transport.abort()

    def _within(self, seconds: float) -> None:
        if not self._unread:
            self.deadline = self._loop.time() + seconds
