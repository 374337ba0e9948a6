"""Who of several keepers writes: the holder of Lease `irsa-keys`.

Rule 1: whoever holds it renews it at every look. Rule 2: another may take it when it has not changed for its whole
duration, by the other's own clock: clocks of two machines are never compared. Two writers at once would do no harm (see
`store`); the Lease keeps them from doing the work twice.
"""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from kubernetes import client

from oidc.ledger.store import NAME, ConflictError, MissingError, call

DURATION: Final = 30  # seconds


class Hold(msgspec.Struct, frozen=True):
    """What a Lease says, as far as we look at it; `renewed` is compared, never read as a time."""

    holder: str
    renewed: str
    transitions: int = 0


class Watch:
    """One candidate's memory of the Lease."""

    def __init__(self, me: str) -> None:
        self.me = me
        self._last: Hold | None = None
        self._since = 0.0

    def may_take(self, hold: Hold | None, now: float) -> bool:
        """Whether the Lease is ours to write; `now` is any steady clock, in seconds."""
        if hold != self._last:
            self._last, self._since = hold, now
        return hold is None or hold.holder in {"", self.me} or now - self._since >= DURATION


class Leases:
    """The Lease object."""

    def __init__(self, api: Any, namespace: str, owner: dict[str, object] | None = None) -> None:  # noqa: ANN401
        self._api, self._namespace, self._owner = client.CoordinationV1Api(api), namespace, owner

    def hold(self, watch: Watch, now: float) -> bool:
        """Take or renew the Lease; whether it is ours now.

        Raises:
            SourceError: the API server does not answer.
        """
        try:
            found = call(self._api.read_namespaced_lease, NAME, self._namespace)
        except MissingError:
            found = None
        held = None if found is None else _hold(found.spec)
        if not watch.may_take(held, now):
            return False
        try:
            self._write(watch.me, held, found)
        except ConflictError:
            return False
        return True

    def _write(self, me: str, held: Hold | None, found: Any) -> None:  # noqa: ANN401 -- kubernetes carries no types
        time = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        mine = held is not None and held.holder == me
        transitions = 0 if held is None else held.transitions + (not mine)
        spec: dict[str, object] = {
            "holderIdentity": me,
            "leaseDurationSeconds": DURATION,
            "renewTime": time,
            "leaseTransitions": transitions,
        }
        if not mine:
            spec["acquireTime"] = time
        metadata: dict[str, object] = {"name": NAME, "namespace": self._namespace}
        if found is None:
            metadata["ownerReferences"] = [self._owner] if self._owner else []
            call(self._api.create_namespaced_lease, self._namespace, {"metadata": metadata, "spec": spec})
        else:
            metadata["resourceVersion"] = found.metadata.resource_version
            call(self._api.patch_namespaced_lease, NAME, self._namespace, {"metadata": metadata, "spec": spec})


def _hold(spec: Any) -> Hold:  # noqa: ANN401 -- kubernetes carries no types
    return Hold(spec.holder_identity or "", str(spec.renew_time), spec.lease_transitions or 0)
