"""Every condition operator under every qualifier: with one value, with several, with none.

What is expected is said here a second time and more plainly: for each operator a value that meets the policy's and one
that does not; what the qualifiers make of several values is AWS's rule, four lines below.
"""

from typing import Any, NamedTuple

import pytest

from tests.policy.test_operators import holds


class Operator(NamedTuple):
    """An operator with the policy's value, one of a request that meets it, and one that does not."""

    name: str
    wanted: str
    met: str
    unmet: str
    negated: bool = False


OPERATORS = [
    Operator("StringEquals", "a", "a", "b"),
    Operator("StringNotEquals", "a", "b", "a", negated=True),
    Operator("StringEqualsIgnoreCase", "a", "A", "b"),
    Operator("StringNotEqualsIgnoreCase", "a", "b", "A", negated=True),
    Operator("StringLike", "a*", "ab", "b"),
    Operator("StringNotLike", "a*", "b", "ab", negated=True),
    Operator("NumericEquals", "10", "10", "11"),
    Operator("NumericNotEquals", "10", "11", "10", negated=True),
    Operator("NumericLessThan", "10", "9", "10"),
    Operator("NumericLessThanEquals", "10", "10", "11"),
    Operator("NumericGreaterThan", "10", "11", "10"),
    Operator("NumericGreaterThanEquals", "10", "10", "9"),
    Operator("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
    Operator("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z", negated=True),
    Operator("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
    Operator("DateLessThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
    Operator("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"),
    Operator("DateGreaterThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"),
    Operator("Bool", "true", "true", "false"),
    Operator("BinaryEquals", "QUJD", "QUJD", "QUJE"),
    Operator("IpAddress", "10.0.0.0/8", "10.1.2.3", "11.1.2.3"),
    Operator("NotIpAddress", "10.0.0.0/8", "11.1.2.3", "10.1.2.3", negated=True),
    Operator("ArnEquals", "arn:aws:s3:::a*", "arn:aws:s3:::ab", "arn:aws:s3:::b"),
    Operator("ArnLike", "arn:aws:s3:::a*", "arn:aws:s3:::ab", "arn:aws:s3:::b"),
    Operator("ArnNotEquals", "arn:aws:s3:::a*", "arn:aws:s3:::b", "arn:aws:s3:::ab", negated=True),
    Operator("ArnNotLike", "arn:aws:s3:::a*", "arn:aws:s3:::b", "arn:aws:s3:::ab", negated=True),
]


@pytest.mark.parametrize("operator", OPERATORS, ids=[each.name for each in OPERATORS])
@pytest.mark.parametrize("suffix", ["", "IfExists"], ids=["", "IfExists"])
def test_one_value(operator: Operator, suffix: str) -> None:
    """A missing key makes it false, a negated one true, and IfExists always true."""
    name = operator.name + suffix
    assert holds(name, operator.wanted, operator.met)
    assert not holds(name, operator.wanted, operator.unmet)
    assert (bool(suffix) or operator.negated) is holds(name, operator.wanted, None)


@pytest.mark.parametrize("operator", OPERATORS, ids=[each.name for each in OPERATORS])
@pytest.mark.parametrize("suffix", ["", "IfExists"], ids=["", "IfExists"])
def test_any_of_several_values(operator: Operator, suffix: str) -> None:
    """One that meets it is enough; where there is none, only IfExists is met."""
    name = f"ForAnyValue:{operator.name}{suffix}"
    both: list[Any] = [operator.unmet, operator.met]
    assert holds(name, operator.wanted, both)
    assert not holds(name, operator.wanted, [operator.unmet] * 2)
    assert bool(suffix) is holds(name, operator.wanted, None)


@pytest.mark.parametrize("operator", OPERATORS, ids=[each.name for each in OPERATORS])
@pytest.mark.parametrize("suffix", ["", "IfExists"], ids=["", "IfExists"])
def test_all_of_several_values(operator: Operator, suffix: str) -> None:
    """Each has to meet it; where there is none, nothing contradicts."""
    name = f"ForAllValues:{operator.name}{suffix}"
    both: list[Any] = [operator.met, operator.unmet]
    assert not holds(name, operator.wanted, both)
    assert holds(name, operator.wanted, [operator.met] * 2)
    assert holds(name, operator.wanted, None)


@pytest.mark.parametrize("operator", OPERATORS, ids=[each.name for each in OPERATORS])
def test_one_of_the_policys_values_is_enough(operator: Operator) -> None:
    """Of a negated operator none may be the request's."""
    met, other = (operator.unmet, operator.met) if operator.negated else (operator.met, operator.unmet)
    several = [operator.wanted, operator.wanted]
    assert operator.negated is not holds(operator.name, several, met)
    assert operator.negated is holds(operator.name, several, other)
