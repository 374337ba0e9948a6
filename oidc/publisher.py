"""Keeps what is published for one issuer as fresh as its source and the ledger let it.

A look that fails, or that a gate holds back, changes nothing but a metric and a line in the log; what was published
last stays. So the server answers as long as it lives, whatever its source does. The ledger works without the source: a
staged key appears, a dropped one goes, and one whose time is over expires, though no API server answers.
"""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from irsa.runtime.logs import Log
from oidc import gates
from oidc.books import Books, to_publish
from oidc.documents import Publication, publication
from oidc.errors import OIDCError
from oidc.gauges import Gauges
from oidc.jwks import KeySet
from oidc.lifecycle import Ledger, Timing, modified, observe, pending, published
from oidc.record import Record
from oidc.sources import Observation, Source

log: Final = Log("oidc.publisher")


class Publisher:
    """What is published for one issuer.

    Attributes:
        published: None until a source or the ledger has something.
        pending: whether a rotation is under way.
        neighbours: the books of other clusters with the same issuer; raises RefusedError where that is not wanted.
    """

    def __init__(
        self,
        source: Source,
        *,
        cluster: str = "",
        issuer: str | None = None,
        public_url: str | None = None,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cluster = cluster
        self.published: Publication | None = None
        self.pending = False
        self.neighbours: Callable[[str], list[Books]] = lambda _: []
        self._source, self._issuer, self._public_url = source, issuer, public_url
        self._timing, self._clock = timing or Timing(), clock
        self._seen: Ledger | None = None
        self._written: Ledger | None = None
        self._theirs: Timing | None = None
        self._complaints: dict[str, str] = {}
        self._left: tuple[object, ...] = ()
        self._gauges = Gauges(cluster, clock)

    async def poll(self) -> bool:
        """Look at the source once; whether it confirmed what is published, or gave something new."""
        try:
            await self.look()
        except OIDCError as problem:
            self._gauges.failed(problem)
            self._complain("source", problem)
            return False
        except Exception as bug:  # noqa: BLE001 -- ours; what a source says must never end the serving
            log.error("bug: the last good documents stay", exception=bug, cluster=self.cluster)
            return False
        if self._complaints.pop("source", None):
            log.info("the source confirms the documents again", cluster=self.cluster, source=self._source.place)
        self._gauges.confirmed()
        return True

    async def look(self) -> None:
        """Look at the source once.

        Raises:
            OIDCError: it did not answer, or a gate held back what it said.
        """
        self._accept(await self._source.observe())
        self._refresh()

    def read(self, written: Record) -> None:
        """Take over the ledger of our issuer, and publish what follows from it."""
        issuer = self._expected() or written.clusters.get(self.cluster, "")
        self._written = written.issuers.get(issuer, self._written)
        self._compare(written.timing)
        try:
            self._refresh()
        except OIDCError as problem:
            self.unreadable(problem)
            return
        if self._complaints.pop("ledger", None):
            log.info("the ledger can be read again", cluster=self.cluster)

    def unreadable(self, problem: OIDCError) -> None:
        """The ledger cannot be used now; what it said last counts."""
        self._gauges.without_ledger(problem)
        self._complain("ledger", problem)

    def _compare(self, theirs: Timing) -> None:
        # `irsa keys stage` says when a key may sign: by a shorter max-age than ours, before every cache has it.
        if self._written and theirs != self._theirs and theirs.max_age < self._timing.max_age:
            log.warning(
                "the ledger counts with a shorter --max-age than ours: a staged key would sign before caches have it; "
                "give irsa keys run the same", cluster=self.cluster, ours=self._timing.max_age, ledger=theirs.max_age,
            )  # fmt: skip
        self._theirs = theirs

    def _expected(self) -> str | None:
        if self._issuer or self._seen:
            return self._issuer or (self._seen.issuer if self._seen else None)
        return self._written.issuer if self._written else None

    def _accept(self, seen: Observation) -> None:
        now = self._clock()
        gates.check_issuer(seen.issuer, self._expected())
        self.neighbours(seen.issuer)
        gates.check_keys(seen.keys, to_publish([self.books], now))
        self._seen = observe(self._seen or Ledger(seen.issuer), seen.keys, now, self._timing, seen.signer)
        self._note(seen)

    @property
    def books(self) -> Books:
        """What we have seen ourselves, and what is written."""
        return Books(self._seen, self._written)

    @property
    def paths(self) -> frozenset[str]:
        """Below which paths the documents are looked for: the root's, the issuer's and the public URL's."""
        urls = (self.published.issuer if self.published else "", self._public_url or "")
        return frozenset({"", *(urlsplit(url).path.rstrip("/") for url in urls)})

    def _refresh(self) -> None:
        now, ledgers = self._clock(), self.books.both
        keys = to_publish([self.books, *self.neighbours(ledgers[0].issuer)], now) if ledgers else ()
        if not keys:  # what we have is old, but nobody is served by nothing
            return
        gates.check_limit(keys)
        before, written = self.published, self._written
        changed = modified(written, now) if written and published(written, now) == keys else now
        self.published = publication(ledgers[0].issuer, keys, public_url=self._public_url, now=changed, before=before)
        self.pending = any(pending(ledger, now, self._timing.max_age) for ledger in ledgers)
        self._gauges.show(keys, self.published, pending=self.pending)
        if before is None or self.published.jwks != before.jwks:
            self._announce(keys, before.keys if before else ())

    def _announce(self, keys: KeySet, before: KeySet) -> None:
        now, then = {key.kid for key in keys}, {key.kid for key in before}
        issuer = self.published.issuer if self.published else ""
        log.info(
            "published", cluster=self.cluster, issuer=issuer, kids=sorted(now), added=sorted(now - then),
            removed=sorted(then - now), source=self._source.place,
        )  # fmt: skip
        for kty, count in gates.counts(keys).items():
            if count >= gates.WARNING:
                log.warning("many keys", cluster=self.cluster, kty=kty, count=count, limit=gates.LIMIT)

    def _note(self, seen: Observation) -> None:
        notes = (*seen.left, *seen.problems)
        if notes == self._left:  # once, not at every poll
            return
        self._left = notes
        for key in seen.left:
            log.warning("key left out", cluster=self.cluster, kid=key.kid, reason=key.reason)
        for problem in seen.problems:
            log.warning("source with a problem", cluster=self.cluster, reason=problem)

    def _complain(self, where: str, problem: OIDCError) -> None:
        if str(problem) != self._complaints.get(where):  # once, not at every poll
            message = "not published; the last good documents stay" if self.published else "nothing to publish yet"
            log.warning(message, cluster=self.cluster, of=where, result=problem.kind, reason=str(problem))
        self._complaints[where] = str(problem)
