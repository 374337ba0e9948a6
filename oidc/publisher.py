"""Keeps what is published for one issuer as fresh as its source lets it.

A poll that fails, or that a gate holds back, changes nothing but a metric and a line in the log; what was published
last stays. So the server answers as long as it lives, whatever its source does.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge

from irsa.runtime.logs import Log
from oidc import gates
from oidc.documents import Publication, publication
from oidc.errors import OIDCError, RefusedError
from oidc.sources import Observation, Source

log: Final = Log("oidc.publisher")

POLLS: Final = Counter("irsa_oidc_polls_total", "Polls of a source.", ["cluster", "result"])
REFUSED: Final = Counter("irsa_oidc_refused_total", "What a gate held back.", ["cluster", "gate"])
KEYS: Final = Gauge("irsa_oidc_keys", "Published keys.", ["cluster", "kty"])
AGE: Final = Gauge("irsa_oidc_document_age_seconds", "Time since a source last confirmed the documents.", ["cluster"])
CHANGED: Final = Gauge("irsa_oidc_document_changed_timestamp", "When the JWKS last changed.", ["cluster"])


class Publisher:
    """What is published for one issuer.

    Attributes:
        published: None until a source has answered.
    """

    def __init__(
        self,
        source: Source,
        *,
        cluster: str = "",
        issuer: str | None = None,
        public_url: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cluster = cluster
        self.published: Publication | None = None
        self._source, self._issuer, self._public_url, self._clock = source, issuer, public_url, clock
        self._complaint = ""
        self._confirmed = clock()
        AGE.labels(cluster).set_function(lambda: clock() - self._confirmed)

    async def follow(self, seconds: float, on_publish: Callable[[], None]) -> None:
        """For ever: poll, then wait `seconds`; `on_publish` is called after each poll that had an answer."""
        while True:
            if await self.poll():
                on_publish()
            await asyncio.sleep(seconds)

    async def poll(self) -> bool:
        """Ask the source once; whether what is published is confirmed or new."""
        try:
            self._accept(await self._source.observe())
        except OIDCError as problem:
            self._complain(problem)
            return False
        POLLS.labels(self.cluster, "ok").inc()
        self._complaint, self._confirmed = "", self._clock()
        return True

    def _accept(self, seen: Observation) -> None:
        before = self.published
        gates.check_issuer(seen.issuer, before.issuer if before else self._issuer)
        gates.check_keys(seen.keys, before.keys if before else ())
        self.published = publication(
            seen.issuer, seen.keys, public_url=self._public_url, now=self._clock(), before=before
        )
        if before is None or self.published.jwks != before.jwks:
            self._announce(seen)

    def _announce(self, seen: Observation) -> None:
        for key in seen.left:
            log.warning("key left out", cluster=self.cluster, kid=key.kid, reason=key.reason)
        for kty, count in gates.counts(seen.keys).items():
            KEYS.labels(self.cluster, kty).set(count)
        CHANGED.labels(self.cluster).set(self._clock())
        log.info(
            "published",
            cluster=self.cluster,
            issuer=seen.issuer,
            kids=[key.kid for key in seen.keys],
            source=self._source.place,
        )

    def _complain(self, problem: OIDCError) -> None:
        POLLS.labels(self.cluster, problem.kind).inc()
        if isinstance(problem, RefusedError):
            REFUSED.labels(self.cluster, problem.gate).inc()
        if str(problem) != self._complaint:  # once, not at every poll
            message = "not published; the last good documents stay" if self.published else "nothing to publish yet"
            log.warning(message, cluster=self.cluster, result=problem.kind, reason=str(problem))
        self._complaint = str(problem)
