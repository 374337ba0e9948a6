"""The metrics of what is published, one set of children a cluster."""

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge

from oidc import gates
from oidc.documents import Publication
from oidc.errors import OIDCError, RefusedError
from oidc.jwks import KeySet

POLLS: Final = Counter("irsa_oidc_polls_total", "Looks at a source.", ["cluster", "result"])
UNREADABLE: Final = Counter("irsa_oidc_ledger_failures_total", "Looks at a bad ledger.", ["cluster", "result"])
REFUSED: Final = Counter("irsa_oidc_refused_total", "What a gate held back.", ["cluster", "gate"])
KEYS: Final = Gauge("irsa_oidc_keys", "Published keys.", ["cluster", "kty"])
AGE: Final = Gauge("irsa_oidc_document_age_seconds", "Time since a source last confirmed the documents.", ["cluster"])
CHANGED: Final = Gauge("irsa_oidc_document_modified_timestamp", "The JWKS's Last-Modified.", ["cluster"])
PENDING: Final = Gauge("irsa_oidc_rotation_pending", "1 while a rotation is under way.", ["cluster"])


class Gauges:
    """The metrics of one cluster."""

    def __init__(self, cluster: str, clock: Callable[[], float]) -> None:
        self._cluster, self._clock = cluster, clock
        self._confirmed = clock()  # until a source answers: since the process began
        AGE.labels(cluster).set_function(lambda: clock() - self._confirmed)

    def confirmed(self) -> None:
        """A source said what we publish."""
        POLLS.labels(self._cluster, "ok").inc()
        self._confirmed = self._clock()

    def failed(self, problem: OIDCError) -> None:
        """A look at the source came to nothing."""
        POLLS.labels(self._cluster, problem.kind).inc()
        self._count(problem)

    def without_ledger(self, problem: OIDCError) -> None:
        """The ledger was there and could not be used."""
        UNREADABLE.labels(self._cluster, problem.kind).inc()
        self._count(problem)

    def _count(self, problem: OIDCError) -> None:
        if isinstance(problem, RefusedError):
            REFUSED.labels(self._cluster, problem.gate).inc()

    def show(self, keys: KeySet, published: Publication, *, pending: bool) -> None:
        """What is published now."""
        for kty in ("RSA", "EC"):
            KEYS.labels(self._cluster, kty).set(gates.counts(keys).get(kty, 0))
        CHANGED.labels(self._cluster).set(published.jwks.modified)
        PENDING.labels(self._cluster).set(pending)
