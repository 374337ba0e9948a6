"""The port of STS and the gateway: accepts connections, ends those that take too long, and drains when it is to go."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import Gauge

from sts.connection import Connection
from sts.http import Deadlines, Service

SWEEP_SECONDS: Final = 0.5
DRAIN_SECONDS: Final = 10.0
CONNECTIONS_LIMIT: Final = 4096  # at once; a further one is closed without a word, so that those that are open go on
BACKLOG: Final = 1024

CONNECTIONS: Final = Gauge("irsa_sts_connections", "Open connections to the port of STS and the gateway.")


class Listener:
    """Serves `service` on connections.

    Attributes:
        deadlines: of the connections that come from now on.
        connections: those that are open.
    """

    def __init__(self, service: Service, deadlines: Deadlines | None = None) -> None:
        self.service = service
        self.deadlines = deadlines or Deadlines()
        self.connections: set[Connection] = set()
        CONNECTIONS.set_function(lambda: len(self.connections))

    @asynccontextmanager
    async def listen(
        self, port: int, host: str | None = None, context: ssl.SSLContext | None = None
    ) -> AsyncIterator[int]:
        """Serve while the body runs; gives the port. At the end what came in is answered.

        Raises:
            OSError: the port is taken or not allowed.
        """
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self.service, self.deadlines, self._joined, self.connections.discard),
            host, port, backlog=BACKLOG, reuse_address=True, ssl=context,
            ssl_handshake_timeout=self.deadlines.head if context else None,
        )  # fmt: skip
        sweeper = asyncio.create_task(self._sweep())
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            await self._drain()
            sweeper.cancel()

    def _joined(self, connection: Connection) -> None:
        self.connections.add(connection)
        if len(self.connections) > CONNECTIONS_LIMIT:
            connection.abort()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, self.deadlines.head / 2))
            now = loop.time()
            for connection in [each for each in self.connections if each.deadline < now]:
                connection.expired()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + DRAIN_SECONDS
        while self.connections and loop.time() < end:
            for connection in list(self.connections):
                connection.drain()
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()
