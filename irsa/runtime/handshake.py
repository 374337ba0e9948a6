"""TLS handshakes that a port can count: a connection is taken plain, and begins TLS here.

Where `create_server` is given the context, nobody knows of a connection before its handshake is done, so whoever never
does one holds memory that no limit sees. What a client sends behind its handshake may come before the loop tells us
that this is over; it is kept for the connection.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final, Protocol

from irsa.runtime.logs import Log

log: Final = Log("irsa.port")


class Counting(Protocol):
    """Who counts."""

    def begun(self, handshake: "Handshake") -> None:
        """One has begun."""

    def over(self, handshake: "Handshake") -> None:
        """It is over, well or not."""


class Handshake(asyncio.Protocol):
    """One; `made` gives the protocol of the connection that it becomes."""

    def __init__(
        self, context: ssl.SSLContext, seconds: float, port: Counting, made: Callable[[], asyncio.Protocol]
    ) -> None:
        self._context = context
        self._seconds = seconds
        self._port = port
        self._made = made
        self._transport: Any = None
        self._task: asyncio.Task[None] | None = None
        self._early: list[bytes] = []
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = transport
        self._transport.pause_reading()  # not a byte of its hello is for anybody but the TLS layer
        self._task = asyncio.get_running_loop().create_task(self._shake())
        self._port.begun(self)

    def data_received(self, data: bytes) -> None:
        """What came right behind the handshake."""
        self._early.append(data)

    def eof_received(self) -> bool:
        """Nothing more comes."""
        self._ended = True
        return False

    def connection_lost(self, _: Exception | None) -> None:
        """The client is gone."""
        self._ended = True

    def abort(self) -> None:
        """Make room."""
        self._transport.abort()

    async def _shake(self) -> None:
        plain = self._transport
        try:
            secured: Any = await asyncio.get_running_loop().start_tls(
                plain, self, self._context, server_side=True, ssl_handshake_timeout=self._seconds
            )
        except (OSError, ValueError) as problem:  # TLS errors and time-outs are OSErrors; the client's fault, or gone
            log.debug("no TLS handshake", reason=str(problem)[:128])
            plain.abort()
            return
        finally:
            self._port.over(self)
        if self._ended or secured is None or secured.is_closing():
            plain.abort()
            return
        connection = self._made()
        connection.connection_made(secured)
        secured.set_protocol(connection)
        for data in self._early:
            connection.data_received(data)
