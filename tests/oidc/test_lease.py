"""Who of several keepers may write, as a table of what each sees of the Lease, by its own clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc.ledger.lease import DURATION, Hold, Watch

A1, A2, B1, FREE = Hold("a", "10:00:00"), Hold("a", "10:00:05"), Hold("b", "10:00:00"), Hold("", "10:00:00")


@pytest.mark.parametrize(
    "looks, takes",
    [
        pytest.param([(0, None)], True, id="there is none yet"),
        pytest.param([(0, B1)], True, id="it is ours"),
        pytest.param([(0, FREE)], True, id="nobody holds it"),
        pytest.param([(0, A1)], False, id="another's, seen for the first time"),
        pytest.param([(0, A1), (DURATION - 1, A1)], False, id="another's, unchanged for less than its duration"),
        pytest.param([(0, A1), (DURATION, A1)], True, id="another's, unchanged for all of it"),
        pytest.param([(0, A1), (20, A2), (DURATION + 5, A2)], False, id="another's, renewed meanwhile"),
        pytest.param([(0, A1), (20, A2), (20 + DURATION, A2)], True, id="another's, renewed and then no more"),
        pytest.param([(0, A1), (20, None), (21, A1)], False, id="deleted, and made anew"),
        pytest.param([(500, A1)], False, id="what time the Lease itself names does not matter"),
    ],
)
def test_who_may_take_it(looks: list[tuple[float, Hold | None]], takes: bool) -> None:
    """Candidate b, after the last look."""
    watch = Watch("b")
    answers = [watch.may_take(hold, now) for now, hold in looks]
    assert takes == answers[-1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=60))
def test_while_its_holder_looks_often_enough_nobody_else_takes_it(looks: list[tuple[str, int]]) -> None:
    """Three candidates look in any order; whoever holds it and renews within the duration keeps it."""
    watches, now, hold, number = {name: Watch(name) for name in "abc"}, 0.0, None, 0
    renewed = 0.0
    for name, pause in looks:
        now += pause
        before = hold
        if watches[name].may_take(hold, now):
            assert before is None or before.holder == name or now - renewed >= DURATION
            number += 1
            hold, renewed = Hold(name, str(number)), now
