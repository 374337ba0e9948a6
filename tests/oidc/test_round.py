"""What a round of looks makes of the record, cluster by cluster: who is kept, who is held back, and by which gate."""

import pytest

from oidc.jwk import from_members
from oidc.lifecycle import Timing
from oidc.record import Record
from oidc.round import taken
from oidc.sources import Observation
from tests.oidc.keys import jwk

TIMING = Timing(retain=1000)
ONE, OTHER = "https://one.example.com", "https://other.example.com"


def says(names: str, issuer: str = ONE, signer: str | None = None) -> Observation:
    return Observation(issuer, tuple(from_members(jwk(name)) for name in names), signer=signer)


def rounds(*seen: dict[str, Observation | None], shared: bool = False) -> tuple[Record, dict[str, str]]:
    """The record after looks ten seconds apart, and the gates of the last one."""
    record, refused = Record(timing=TIMING), {}
    for number, each in enumerate(seen):
        now = 1000.0 + 10 * number
        record, refused = taken(record, each, now, TIMING, issuers=dict.fromkeys(each), shared=shared)
    return record, {cluster: problem.gate for cluster, problem in refused.items()}


def states(record: Record) -> str:
    """Such as `a:current b:next`, of all issuers."""
    entries = [pair for ledger in record.issuers.values() for pair in ledger.entries.items()]
    return " ".join(f"{kid}:{entry.state}" for kid, entry in sorted(entries))


@pytest.mark.parametrize(
    "seen, gates, expected",
    [
        pytest.param([{"x": says("a"), "y": says("b", OTHER)}], {}, "a:current b:current", id="an issuer each"),
        pytest.param([{"x": says("a"), "y": says("b")}], {"y": "shared"}, "a:current", id="the same issuer"),
        pytest.param([{"x": says("a"), "y": says("ab")}], {"y": "shared"}, "a:current", id="the same, and a key"),
        pytest.param(
            [{"x": says("a"), "y": None}, {"x": None, "y": says("b")}], {"y": "shared"}, "a:current",
            id="the same, while the first is away",
        ),
        pytest.param(
            [{"x": says("a"), "y": None}, {"x": says("a"), "y": says("b")}], {"y": "shared"}, "a:current",
            id="the same, later",
        ),
        pytest.param([{"x": says("a")}, {"x": None}], {}, "a:current", id="away"),
        pytest.param([{"x": says("a")}, {"x": says("b")}], {"x": "disjoint"}, "a:current", id="disjoint"),
        pytest.param([{"x": says("a")}, {"x": says("")}], {"x": "empty"}, "a:current", id="empty"),
        pytest.param([{"x": says("a")}, {"x": says("a", OTHER)}], {"x": "issuer"}, "a:current", id="another issuer"),
        pytest.param(
            [{"x": says("a"), "y": says("b", OTHER)}, {"x": says("a", OTHER), "y": says("b", OTHER)}], {"x": "issuer"},
            "a:current b:current", id="the issuer of another cluster",
        ),
    ],
)  # fmt: skip
def test_a_cluster_is_kept_or_held_back(
    seen: list[dict[str, Observation | None]], gates: dict[str, str], expected: str
) -> None:
    """One that is held back costs no other, and what is kept stays as it was."""
    record, refused = rounds(*seen)
    assert (gates, expected) == (refused, states(record))


BOTH = {"x": says("a"), "y": says("b")}


@pytest.mark.parametrize(
    "seen, expected",
    [
        pytest.param([BOTH], "a:current b:current", id="the keys of both"),
        pytest.param([BOTH, {"x": says("a"), "y": None}], "a:current b:current", id="one is away: nothing vanished"),
        pytest.param([BOTH, {"x": None, "y": None}], "a:current b:current", id="both are away"),
        pytest.param(
            [BOTH, {"x": says("ac"), "y": says("b")}, {"x": says("c"), "y": says("b")}],
            "a:retiring b:current c:current", id="a rotation in one of them",
        ),
        pytest.param(
            [{"x": says("a", signer="a"), "y": says("b", signer="b")}], "a:current b:current", id="each has its signer"
        ),
    ],
)  # fmt: skip
def test_clusters_of_one_issuer_have_one_ledger(seen: list[dict[str, Observation | None]], expected: str) -> None:
    """Behind the flag; their keys are united, and each other's look takes none away."""
    record, refused = rounds(*seen, shared=True)
    assert ({}, expected, {ONE}) == (refused, states(record), set(record.issuers))
    assert {"x": ONE, "y": ONE} == record.clusters


def test_a_cluster_that_changed_its_issuer_takes_no_key_of_the_others_with_it() -> None:
    """Held back itself, its keys have not vanished from the ledger that it shares."""
    record, refused = rounds(BOTH, {"x": says("a"), "y": says("b", OTHER)}, shared=True)
    assert ({"y": "issuer"}, "a:current b:current") == (refused, states(record))
