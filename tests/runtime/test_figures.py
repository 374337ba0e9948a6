"""Our own counters, beside prometheus_client's: the same decisions make the same figures."""

from hypothesis import given
from hypothesis import strategies as some
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from irsa.runtime.figures import Decisions

EDGES = (0.001, 0.5, 1, 10)
LABELS = ("service", "action", "code")
MADE = some.lists(
    some.tuples(
        some.tuples(*map(some.sampled_from, (["sts", "s3"], ["a", 'b"\n\\'], ["ok", "no"]))),
        some.floats(0, 20) | some.sampled_from(EDGES),
    ),
    max_size=20,
)  # fmt: skip


def shown(registry: CollectorRegistry) -> list[str]:
    """All lines but the times at which prometheus_client's own metrics came to be."""
    return sorted(line for line in generate_latest(registry).decode().splitlines() if "_created" not in line)


@given(MADE)
def test_as_prometheus_client_counts(made: list[tuple[tuple[str, str, str], float]]) -> None:
    """Counter by all labels, histogram by the first."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    decisions = Decisions(("made", "Made."), ("seconds", "Time."), labels=LABELS, edges=EDGES, shared=1)
    ours.register(decisions)  # type: ignore[arg-type,unused-ignore]
    counter = Counter("made", "Made.", LABELS, registry=theirs)
    seconds = Histogram("seconds", "Time.", LABELS[:1], buckets=EDGES, registry=theirs)
    for labels, took in made:
        decisions.made(labels, took)
        counter.labels(*labels).inc()
        seconds.labels(*labels[:1]).observe(took)
    assert shown(theirs) == shown(ours)


def test_a_histogram_of_its_own_is_there_before_the_first() -> None:
    """So that a rate over it begins at zero."""
    registry = CollectorRegistry()
    registry.register(Decisions(("made", "Made."), ("seconds", "Time."), labels=("code",), edges=EDGES))  # type: ignore[arg-type,unused-ignore]
    assert "seconds_count 0.0" in shown(registry)
