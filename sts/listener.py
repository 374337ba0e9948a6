"""The port of STS and the gateway: whole requests go to the server, what is no HTTP is refused here."""

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from ssl import SSLContext
from typing import Final, Protocol

from prometheus_client import Counter, Gauge

from irsa.runtime.exchange import Deadlines, RefusedError, Request
from irsa.runtime.logs import Log
from irsa.runtime.port import Port
from sts.http import BODY_LIMIT, HEAD_LIMIT, Fault, Reply, in_words
from sts.sigv4 import HttpRequest

log: Final = Log("sts.http")

CONNECTIONS_LIMIT: Final = 4096  # idle over TLS they weigh 200 MB
BODIES_LIMIT: Final = 32 * 1024 * 1024  # bytes of the largest bodies of all connections together

CONNECTIONS: Final = Gauge("irsa_sts_connections", "Open connections to the port of STS and the gateway.")
SHED: Final = Counter("irsa_sts_shed_total", "Connections closed to make room for others.", ["reason"])

# What was cut short behind a whole head is refused in AWS's words, by the door that it came to.
_FAULTS: Final = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Fault.TOO_LARGE,
    HTTPStatus.REQUEST_TIMEOUT: Fault.TOO_SLOW,
}


class Answering(Protocol):
    """Who answers."""

    def answer(self, asked: HttpRequest, fault: Fault | None) -> Reply | Awaitable[Reply]:
        """The answer to a request, or what will give it; the body of one with a fault is empty."""


class Listener:
    """Serves `service` on a port."""

    head_limit = HEAD_LIMIT
    body_limit = BODY_LIMIT
    draining = False  # a pool's connections are closed when the port is

    def __init__(self, service: Answering, deadlines: Deadlines | None = None) -> None:
        self.service = service
        self.port = Port(
            self,
            connections_limit=CONNECTIONS_LIMIT,
            bodies_limit=BODIES_LIMIT,
            gauge=CONNECTIONS,
            shed=SHED,
            deadlines=deadlines,
        )

    def listen(
        self, port: int, host: str | None = None, context: SSLContext | None = None
    ) -> AbstractAsyncContextManager[int]:
        """Serve while the body runs; gives the port. At the end what came in is answered.

        Raises:
            OSError: the port is taken or not allowed.
        """
        return self.port.listen(port, context, host)

    def begin(self, request: Request) -> None:
        """Every whole request is taken.

        Raises:
            RefusedError: it has two hosts, one of which is signed, or none (RFC 9112 section 3.2).
        """
        hosts = 0
        for name, _ in request.headers:
            hosts += name == b"host"
        if hosts != 1 and (hosts or request.version != "1.0"):
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"{hosts} Host headers")

    def answer(self, request: Request) -> Reply | Awaitable[Reply]:
        """A whole request."""
        return self.service.answer(_asked(request), None)

    def refuse(self, status: HTTPStatus, request: Request, reason: str) -> Reply | Awaitable[Reply]:
        """In AWS's words where it is known what was asked."""
        if request.method and (fault := _FAULTS.get(status)):
            return self.service.answer(_asked(request), fault)
        if status is not HTTPStatus.INTERNAL_SERVER_ERROR:  # that one has its trace already
            log.warning("malformed request", reason=reason.partition("\n")[0][:128], source=request.source)
        return in_words(status)


def _asked(request: Request) -> HttpRequest:
    headers = [
        # As it stood on the wire: what is no UTF-8 becomes surrogates, and is signed as those bytes.
        (name.decode("latin-1"), value.strip(b" \t").decode(errors="surrogateescape"))
        for name, value in request.headers
    ]
    return HttpRequest(request.method, request.target, headers, bytes(request.body), request.source, request.secure)
