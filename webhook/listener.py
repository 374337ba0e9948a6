"""The admission port: which requests it takes, and what becomes of them."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from ssl import SSLContext
from typing import Final

from prometheus_client import Counter, Gauge

from irsa.runtime.exchange import Deadlines, Request
from irsa.runtime.health import Readiness
from irsa.runtime.logs import Log
from irsa.runtime.port import Port
from webhook import routes
from webhook.routes import TEXT, Reply, Target

log: Final = Log("webhook.listener")

CONNECTIONS_LIMIT: Final = 1024  # idle over TLS they weigh 50 MB
BODIES_LIMIT: Final = 16 * 1024 * 1024  # bytes of the largest bodies of all connections together

CONNECTIONS: Final = Gauge("irsa_admission_connections", "Open connections to the admission port.")
REFUSED: Final = Counter("irsa_admission_refused_total", "Requests that were no review, by HTTP status.", ["status"])
SHED: Final = Counter("irsa_admission_shed_total", "Connections closed to make room for others.", ["reason"])


class Listener:
    """Serves reviews and probes.

    Args:
        review: answers an AdmissionReview's bytes.
    """

    head_limit = routes.HEAD_LIMIT
    body_limit = routes.BODY_LIMIT

    def __init__(
        self,
        review: Callable[[bytes], Reply | Awaitable[Reply]],
        readiness: Readiness,
        deadlines: Deadlines | None = None,
    ) -> None:
        self._review = review
        self._readiness = readiness
        self._port = Port(
            self,
            connections_limit=CONNECTIONS_LIMIT,
            bodies_limit=BODIES_LIMIT,
            gauge=CONNECTIONS,
            shed=SHED,
            deadlines=deadlines,
        )

    def listen(
        self, port: int, context: SSLContext | None = None, host: str | None = None
    ) -> AbstractAsyncContextManager[int]:
        """Serve while the body runs; gives the port. At the end what came in is answered.

        Raises:
            OSError: the port is taken or not allowed.
        """
        return self._port.listen(port, context, host)

    def begin(self, request: Request) -> Reply | None:
        """Probes and refusals need no body."""
        content_type = next((value for name, value in request.headers if name == b"content-type"), b"")
        target = routes.route(request.method, request.target, content_type.decode("latin-1"))
        if isinstance(target, Reply):
            return self._refused(target)
        return None if target is Target.REVIEW else self._health(target)

    def answer(self, request: Request) -> Reply | Awaitable[Reply]:
        """A whole review."""
        return self._review(bytes(request.body))

    def refuse(self, status: HTTPStatus, _: Request, reason: str) -> Reply:
        """In the status's words alone: what was wrong is for the log."""
        return self._refused(routes.problem(status), reason)

    @property
    def draining(self) -> bool:
        """Whether clients are to go elsewhere."""
        return self._readiness.stopping

    def _health(self, target: Target) -> Reply:
        if target is Target.LIVE:
            return Reply(200, b"ok\n", TEXT)
        return Reply(200 if self._readiness.ready else 503, self._readiness.explanation().encode(), TEXT)

    def _refused(self, reply: Reply, reason: str = "") -> Reply:
        REFUSED.labels(reply.status).inc()
        log.debug("request refused", status=reply.status, reason=reason)
        return reply
