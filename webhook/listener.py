"""The admission port: accepts connections, ends the ones that take too long, and drains when it is to go.

Whoever can reach the port may open connections and send bodies, so both are bounded together, and where there are too
many it is not the newcomer that goes, who may be the API server: of connections the one that has kept us waiting
longest, of bodies the largest.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge

from irsa.runtime.health import Readiness
from irsa.runtime.logs import Log
from webhook.http import Connection, Deadlines
from webhook.routes import TEXT, Reply, Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log: Final = Log("webhook.listener")

SWEEP_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 10.0
CONNECTIONS_LIMIT: Final = 1024  # idle over TLS they weigh 50 MB
BODIES_LIMIT: Final = 16 * 1024 * 1024  # bytes of the largest bodies of all connections together
BACKLOG: Final = 1024

CONNECTIONS: Final = Gauge("irsa_admission_connections", "Open connections to the admission port.")
REFUSED: Final = Counter("irsa_admission_refused_total", "Requests that were no review, by HTTP status.", ["status"])
SHED: Final = Counter("irsa_admission_shed_total", "Connections closed to make room for others.", ["reason"])


class Listener:
    """Serves reviews and probes.

    Args:
        review: answers an AdmissionReview's bytes.
    """

    def __init__(
        self,
        review: Callable[[bytes], Reply | Awaitable[Reply]],
        readiness: Readiness,
        deadlines: Deadlines | None = None,
    ) -> None:
        self.review = review
        self._readiness = readiness
        self._deadlines = deadlines or Deadlines()
        self._connections: set[Connection] = set()
        self._weight = 0
        self._shed = 0
        CONNECTIONS.set_function(lambda: len(self._connections))

    def health(self, target: Target) -> Reply:
        """Whether we live, whether we are ready."""
        if target is Target.LIVE:
            return Reply(200, b"ok\n", TEXT)
        return Reply(200 if self._readiness.ready else 503, self._readiness.explanation().encode(), TEXT)

    def refused(self, status: int) -> None:
        """A request got no further than HTTP."""
        REFUSED.labels(status).inc()
        log.debug("request refused", status=status)

    def grown(self, _: Connection, size: int) -> None:
        """A connection's largest body has grown; where all of them are too much, the heaviest connection goes."""
        self._weight += size
        while self._weight > BODIES_LIMIT:
            self._make_room(max(self._connections, key=lambda each: each.weight), "bodies")

    @property
    def draining(self) -> bool:
        """Whether clients are to go elsewhere."""
        return self._readiness.stopping

    @asynccontextmanager
    async def listen(
        self, port: int, context: ssl.SSLContext | None = None, host: str | None = None
    ) -> "AsyncIterator[int]":
        """Serve while the body runs; gives the port. At the end what came in is answered.

        Raises:
            OSError: the port is taken or not allowed.
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            self._connection,
            host,
            port,
            backlog=BACKLOG,
            reuse_address=True,
            ssl=context,
            ssl_handshake_timeout=self._deadlines.head if context else None,
        )
        sweeper = asyncio.create_task(self._sweep())
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            await self._drain()
            sweeper.cancel()

    def _connection(self) -> Connection:
        return Connection(self, self._deadlines, self._joined, self._left)

    def _joined(self, connection: Connection) -> None:
        self._connections.add(connection)
        if len(self._connections) > CONNECTIONS_LIMIT:
            self._make_room(min(self._connections, key=lambda each: each.waiting_since), "connections")

    def _left(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._weight -= connection.weight

    def _make_room(self, connection: Connection, reason: str) -> None:
        self._shed += 1
        SHED.labels(reason).inc()
        self._weight -= connection.weight
        connection.weight = 0
        connection.shed()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, self._deadlines.head / 2))
            now = loop.time()
            for connection in [each for each in self._connections if each.deadline < now]:
                connection.expired()
            if self._shed:
                log.warning("too many connections or bodies; closed some to make room", closed=self._shed)
                self._shed = 0

    async def _drain(self) -> None:
        end = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while self._connections and asyncio.get_running_loop().time() < end:
            for connection in list(self._connections):
                connection.drain()
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.abort()
