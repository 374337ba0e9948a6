"""`irsa keys run`: looks at the sources, and writes down what becomes of each key.

A look goes through the same gates as the server's, so what is refused there is refused here, and told in an Event. Only
the holder of the Lease writes; the others look on, ready to take over.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from prometheus_client import Counter, Gauge

from irsa.runtime.logs import Log
from oidc.errors import OIDCError, RefusedError
from oidc.ledger.events import Events
from oidc.ledger.lease import Leases, Watch
from oidc.ledger.store import ConflictError, Store
from oidc.lifecycle import Ledger, State, Timing
from oidc.record import Record
from oidc.round import taken
from oidc.sources import Observation, Source

log: Final = Log("oidc.ledger")

UNTOLD_LIMIT: Final = 100  # Events that wait for an API server that is away; the oldest go first

LOOKS: Final = Counter("irsa_keys_looks_total", "Looks at a source.", ["cluster", "result"])
WRITES: Final = Counter("irsa_keys_writes_total", "Writes of the ledger.", ["result"])
LEADER: Final = Gauge("irsa_keys_leader", "1 while this process holds the Lease.")
KEYS: Final = Gauge("irsa_keys", "Keys in the ledger.", ["issuer", "state"])


class Keeper:
    """Keeps the ledger of the issuers that `sources` (cluster → source) have."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        *,
        store: Store,
        leases: Leases,
        events: Events,
        watch: Watch,
        timing: Timing,
        issuer: str | None = None,
        shared: bool = False,
    ) -> None:
        self._sources, self._store, self._leases, self._events = sources, store, leases, events
        self._watch, self._timing = watch, timing
        self._issuers: dict[str, str | None] = dict.fromkeys(sources, issuer)
        self._shared = shared
        self._complaints: dict[str, str] = {}
        self._untold: deque[tuple[str, str, bool]] = deque(maxlen=UNTOLD_LIMIT)

    async def look(self) -> bool:
        """Look once at all sources, and write if that is ours to do; whether the API server could be asked.

        Raises nothing of the `OIDCError` kind: the next look comes soon.
        """
        try:
            leader = await asyncio.to_thread(self._leases.hold, self._watch, time.monotonic())
            LEADER.set(leader)
            if not leader:
                KEYS.clear()  # the one who keeps them counts them
            else:
                await self._keep()
                await asyncio.to_thread(self._tell)
        except ConflictError:
            WRITES.labels("conflict").inc()  # somebody else's command came between; the next look begins from it
        except OIDCError as problem:
            self._complain("ledger", problem)
            return False
        self._well("ledger")
        return True

    async def _keep(self) -> None:
        # All at once: the Lease lasts for three sources that are asked in vain, not for thirty.
        answers = await asyncio.gather(*(self._observe(cluster) for cluster in self._sources))
        seen = dict(zip(self._sources, answers, strict=True))
        stored = await asyncio.to_thread(self._store.read)
        kept, refused = taken(
            stored.record, seen, time.time(), self._timing, issuers=self._issuers, shared=self._shared
        )
        for cluster, problem in refused.items():
            self._complain(cluster, problem)
        for cluster in (cluster for cluster, answer in seen.items() if answer and cluster not in refused):
            self._issuers[cluster] = kept.clusters.get(cluster, self._issuers[cluster])
            self._well(cluster)
            LOOKS.labels(cluster, "ok").inc()
        _count(kept)
        if kept != stored.record:
            await asyncio.to_thread(self._store.write, kept, stored.version)
            WRITES.labels("ok").inc()
            self._announce(stored.record, kept)

    async def _observe(self, cluster: str) -> Observation | None:
        try:
            return await self._sources[cluster].observe()
        except OIDCError as problem:
            self._complain(cluster, problem)
            return None

    def _well(self, where: str) -> None:
        if self._complaints.pop(where, None):
            log.info("ledger kept again", cluster=where)

    def _complain(self, where: str, problem: OIDCError) -> None:
        LOOKS.labels(where, problem.kind).inc()
        if self._complaints.get(where) != str(problem):  # once, not at every look
            log.warning("ledger not written", cluster=where, result=problem.kind, reason=str(problem))
            if isinstance(problem, RefusedError):
                self._untold.append(("KeysRefused", f"{problem.gate}: {problem}", True))
        self._complaints[where] = str(problem)

    def _announce(self, before: Record, after: Record) -> None:
        for issuer, kid, state, note in changes(before, after):
            log.info("key changed its state", issuer=issuer, kid=kid, state=state, note=note)
            self._untold.append((f"Key{state.capitalize()}", f"{kid} of {issuer} is {state}{note}", False))

    def _tell(self) -> None:
        while self._untold:
            reason, message, warning = self._untold.popleft()
            self._events.tell(reason, message, warning=warning)


def changes(before: Record, after: Record) -> Iterable[tuple[str, str, State, str]]:
    """Issuer, kid, new state and a note, for each key that changed its state."""
    for issuer, ledger in after.issuers.items():
        known = before.issuers.get(issuer, Ledger(issuer)).entries
        for kid, entry in ledger.entries.items():
            if kid not in known or known[kid].state is not entry.state:
                yield issuer, kid, entry.state, f" until {stamp(entry.until)}" if entry.until else ""


def stamp(seconds: float) -> str:
    """A time as people write it, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _count(kept: Record) -> None:
    for issuer, ledger in kept.issuers.items():
        for state in State:
            KEYS.labels(issuer, state).set(sum(entry.state is state for entry in ledger.entries.values()))


class KeeperSettings(msgspec.Struct, frozen=True):
    """What the command line gives beside sources and times; durations in seconds."""

    namespace: str
    metrics_port: int
    host: str | None
    poll: float
    lame_duck: float
    owner_deployment: str = ""
    issuer: str | None = None
    shared_issuer: bool = False
