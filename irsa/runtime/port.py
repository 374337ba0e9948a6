"""A port that speaks `http1`: accepts connections, ends the ones that take too long, and drains when it is to go.

Whoever can reach it may open connections and send bodies, so both are bounded together, and where there are too many it
is not the newcomer that goes, who may be the one that matters: of connections the one that has kept us waiting longest,
of bodies the largest.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import Counter, Gauge

from irsa.runtime.exchange import Deadlines, Service
from irsa.runtime.http1 import Connection
from irsa.runtime.logs import Log

log: Final = Log("irsa.port")

SWEEP_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 10.0
BACKLOG: Final = 1024


class Port:
    """Serves `service`.

    Args:
        connections_limit: how many at once; over TLS an idle one weighs 50 kB.
        bodies_limit: bytes of the largest bodies of all connections together.
        shed: counts connections that were closed to make room, by `reason` (connections, bodies).

    Attributes:
        deadlines: of the connections that come from now on.
        connections: those that are open.
    """

    def __init__(
        self,
        service: Service,
        *,
        connections_limit: int,
        bodies_limit: int,
        gauge: Gauge,
        shed: Counter,
        deadlines: Deadlines | None = None,
    ) -> None:
        self.deadlines = deadlines or Deadlines()
        self.connections: set[Connection] = set()
        self._service = service
        self._connections_limit = connections_limit
        self._bodies_limit = bodies_limit
        self._shed = shed
        self._weight = 0
        self._closed = 0  # to make room, since the last sweep
        gauge.set_function(lambda: len(self.connections))

    @asynccontextmanager
    async def listen(
        self, port: int, context: ssl.SSLContext | None = None, host: str | None = None
    ) -> AsyncIterator[int]:
        """Serve while the body runs; gives the port. At the end what came in is answered.

        Raises:
            OSError: the port is taken or not allowed.
        """
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._service, self.deadlines, self),
            host,
            port,
            backlog=BACKLOG,
            reuse_address=True,
            ssl=context,
            ssl_handshake_timeout=self.deadlines.head if context else None,
        )
        sweeper = asyncio.create_task(self._sweep())
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            await self._drain()
            sweeper.cancel()

    # -- the connections' side

    def joined(self, connection: Connection) -> None:
        """A connection is there; where there are too many, the one that has kept us waiting longest goes."""
        self.connections.add(connection)
        if len(self.connections) > self._connections_limit:
            self._make_room(min(self.connections, key=lambda each: each.waiting_since), "connections")

    def left(self, connection: Connection) -> None:
        """It is gone."""
        self.connections.discard(connection)
        self._weight -= connection.weight

    def grown(self, size: int) -> None:
        """A connection's largest body has grown; where all of them are too much, the heaviest connection goes."""
        self._weight += size
        while self._weight > self._bodies_limit:
            self._make_room(max(self.connections, key=lambda each: each.weight), "bodies")

    def _make_room(self, connection: Connection, reason: str) -> None:
        self._closed += 1
        self._shed.labels(reason).inc()
        self._weight -= connection.weight
        connection.weight = 0
        connection.shed()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, self.deadlines.head / 2))
            now = loop.time()
            for connection in [each for each in self.connections if each.deadline < now]:
                connection.expired()
            if self._closed:
                log.warning("too many connections or bodies; closed some to make room", closed=self._closed)
                self._closed = 0

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + DRAIN_SECONDS
        while self.connections and loop.time() < end:
            for connection in list(self.connections):
                connection.drain()
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()
