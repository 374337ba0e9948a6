"""What a round of looks at all clusters makes of the record: the gates first, then the life of each key.

Clusters of one issuer (`shared`) have one ledger, so their keys are united before any is missed; and where one of them
did not answer, nothing is: its keys cannot be told from keys that vanished.
"""

from collections.abc import Mapping

from oidc import gates
from oidc.errors import RefusedError
from oidc.lifecycle import Ledger, Timing, observe, published
from oidc.record import Record
from oidc.sources import Observation
from oidc.sources.several import together

Seen = Mapping[str, Observation | None]
"""Cluster → what its source said; None: it did not answer."""


def taken(
    record: Record, seen: Seen, now: float, timing: Timing, *, issuers: Mapping[str, str | None], shared: bool = False
) -> tuple[Record, dict[str, RefusedError]]:
    """The record after the round, and what a gate held back of which cluster; `issuers`: those they must have."""
    groups, refused = _groups(record, seen, issuers, shared=shared)
    ledgers, clusters = dict(record.issuers), dict(record.clusters)
    for issuer, group in groups.items():
        if any(record.clusters.get(cluster) == issuer for cluster in seen if cluster not in group):
            continue
        before = ledgers.get(issuer, Ledger(issuer))
        try:
            answer = together([each for cluster in group if (each := seen[cluster])], shared=True)
            gates.check_keys(answer.keys, published(before, now))
        except RefusedError as problem:
            refused |= dict.fromkeys(group, problem)
        else:
            ledgers[issuer] = observe(before, answer.keys, now, timing, answer.signer)
            clusters |= dict.fromkeys(group, issuer)
    return Record(ledgers, clusters, timing), refused


def _groups(
    record: Record, seen: Seen, issuers: Mapping[str, str | None], *, shared: bool
) -> tuple[dict[str, list[str]], dict[str, RefusedError]]:
    """Issuer → the clusters that may be kept under it, and why the others may not."""
    groups: dict[str, list[str]] = {}
    refused: dict[str, RefusedError] = {}
    for cluster, answer in seen.items():
        if answer is None:
            continue
        known = [other for other in seen if other != cluster and record.clusters.get(other) == answer.issuer]
        try:
            gates.check_issuer(answer.issuer, issuers.get(cluster) or record.clusters.get(cluster))
            mine = record.clusters.get(cluster) == answer.issuer
            gates.check_alone(answer.issuer, groups.get(answer.issuer, [] if mine else known), shared=shared)
        except RefusedError as problem:
            refused[cluster] = problem
        else:
            groups.setdefault(answer.issuer, []).append(cluster)
    return groups, refused
