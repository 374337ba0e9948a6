"""What each condition operator compares: an expected value, once understood, becomes a test of one seen value.

A seen value that is no number, date, truth or address cannot be compared: the operator is false, negated or not. Any
text can be compared with an ARN: one that is none is not like it. An expected value that is not of the type is refused
when the document is parsed.
"""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Protocol, TypeAlias, TypeVar

import msgspec

from sts.policy.errors import PolicyError
from sts.policy.glob import Token, compiled, glob
from sts.policy.variables import Context, template

# True or False as the value matches or not; None where the two cannot be compared: nothing holds then, negated or not.
Test: TypeAlias = Callable[[str, Context], bool | None]
T = TypeVar("T")


class Reader(Protocol):
    """From an expected value, its place and whether the document has variables, the test of one seen value."""

    def __call__(self, expected: str, place: str, *, variables: bool) -> Test:
        """Raise PolicyError where the value is not of the operator's type."""


class Operator(msgspec.Struct, frozen=True):
    """A condition operator without set qualifier and IfExists.

    Attributes:
        name: As AWS spells it.
        test: What reads its expected values.
        negated: Whether the operator holds where no expected value matches.
    """

    name: str
    test: Reader
    negated: bool = False


def _equals(expected: str, place: str, *, variables: bool) -> Test:
    filled = template(expected, place, wildcards=False) if variables else None
    if filled is None:
        return lambda seen, _: seen == expected

    def test(seen: str, context: Context) -> bool | None:
        value = filled.text(context)
        return None if value is None else seen == value

    return test


def _equals_ignoring_case(expected: str, place: str, *, variables: bool) -> Test:
    filled = template(expected, place, wildcards=False) if variables else None
    if filled is None:
        lower = expected.lower()
        return lambda seen, _: seen.lower() == lower

    def test(seen: str, context: Context) -> bool | None:
        value = filled.text(context)
        return None if value is None else seen.lower() == value.lower()

    return test


def _like(expected: str, place: str, *, variables: bool) -> Test:
    filled = template(expected, place, wildcards=True) if variables else None
    if filled is None:
        matches = glob(expected)
        return lambda seen, _: matches(seen)

    def test(seen: str, context: Context) -> bool | None:
        parts = filled.tokens(context)
        return None if parts is None else compiled(parts)(seen)

    return test


def _arn(expected: str, place: str, *, variables: bool) -> Test:
    """ArnEquals is ArnLike: each of the six parts on its own, so no star reaches over a colon of the first five."""
    filled = template(expected, place, wildcards=True) if variables else None
    if filled is None and expected.count(":") < 5:  # noqa: PLR2004 -- arn:partition:service:region:account:resource
        raise PolicyError(place, f"{expected!r} is no ARN", "write all six parts, such as arn:aws:iam::*:role/*")
    if filled is None:
        patterns = [glob(part) for part in expected.split(":", 5)]
        return lambda seen, _: _all_parts(patterns, seen)

    def test(seen: str, context: Context) -> bool | None:
        parts = filled.tokens(context)
        return None if parts is None else _all_parts([compiled(part) for part in _segments(parts)], seen)

    return test


def _segments(parts: list[Token]) -> list[list[Token]]:
    """The six parts of an ARN pattern; variables may bring colons of their own."""
    segments: list[list[Token]] = [[]]
    for part in parts:
        if not isinstance(part, str):
            segments[-1].append(part)
            continue
        first, *rest = part.split(":", 6 - len(segments))
        segments[-1].append(first)
        segments += [[text] for text in rest]
    return segments


def _all_parts(patterns: list[Callable[[str], bool]], seen: str) -> bool:
    parts = seen.split(":", 5)
    return len(parts) == len(patterns) and all(match(part) for match, part in zip(patterns, parts, strict=True))


def _typed(read: Callable[[str], T | None], compare: Callable[[T, T], bool], cure: str) -> Reader:
    """An operator over values that must be read first; variables do not exist there."""

    def make(expected: str, place: str, *, variables: bool) -> Test:  # noqa: ARG001 -- the table's signature
        value = read(expected)
        if value is None:
            raise PolicyError(place, f"{expected!r} is not of the operator's type", cure)

        def test(seen: str, _: Context) -> bool | None:
            other = read(seen)
            return None if other is None else compare(other, value)

        return test

    return make


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@lru_cache(maxsize=1024)
def _date(text: str) -> float | None:
    """Seconds since 1970, from a W3C form of ISO 8601 or from the number itself."""
    number = _number(text)
    if number is not None and len(text) > len("2026"):
        return float(number)
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.strip().lower())


def _bool(expected: str, place: str, *, variables: bool) -> Test:
    """Bool is the one operator besides the string and ARN ones that knows variables."""
    filled = template(expected, place, wildcards=False) if variables else None
    if filled is None:
        return _plain_bool(expected, place, variables=variables)

    def test(seen: str, context: Context) -> bool | None:
        wanted, value = _boolean(filled.text(context) or ""), _boolean(seen)
        return None if wanted is None or value is None else value is wanted

    return test


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _in_network(expected: str, place: str, *, variables: bool) -> Test:  # noqa: ARG001 -- the table's signature
    network = _network(expected)
    if network is None:
        raise PolicyError(
            place, f"{expected!r} is no address range", "write CIDR such as 203.0.113.0/24 or 2001:db8::/32"
        )

    def test(seen: str, _: Context) -> bool | None:
        address = _address(seen)
        return None if address is None else address in network

    return test


_plain_bool: Final = _typed(_boolean, bool.__eq__, "write true or false")
_NUMBER: Final = "write a number such as 3600"
_DATE: Final = "write a date such as 2026-11-24T00:00:00Z"


def _table() -> list[Operator]:
    return [
        Operator("StringEquals", _equals),
        Operator("StringNotEquals", _equals, negated=True),
        Operator("StringEqualsIgnoreCase", _equals_ignoring_case),
        Operator("StringNotEqualsIgnoreCase", _equals_ignoring_case, negated=True),
        Operator("StringLike", _like),
        Operator("StringNotLike", _like, negated=True),
        Operator("ArnEquals", _arn),
        Operator("ArnLike", _arn),
        Operator("ArnNotEquals", _arn, negated=True),
        Operator("ArnNotLike", _arn, negated=True),
        Operator("NumericEquals", _typed(_number, Decimal.__eq__, _NUMBER)),
        Operator("NumericNotEquals", _typed(_number, Decimal.__eq__, _NUMBER), negated=True),
        Operator("NumericLessThan", _typed(_number, Decimal.__lt__, _NUMBER)),
        Operator("NumericLessThanEquals", _typed(_number, Decimal.__le__, _NUMBER)),
        Operator("NumericGreaterThan", _typed(_number, Decimal.__gt__, _NUMBER)),
        Operator("NumericGreaterThanEquals", _typed(_number, Decimal.__ge__, _NUMBER)),
        Operator("DateEquals", _typed(_date, float.__eq__, _DATE)),
        Operator("DateNotEquals", _typed(_date, float.__eq__, _DATE), negated=True),
        Operator("DateLessThan", _typed(_date, float.__lt__, _DATE)),
        Operator("DateLessThanEquals", _typed(_date, float.__le__, _DATE)),
        Operator("DateGreaterThan", _typed(_date, float.__gt__, _DATE)),
        Operator("DateGreaterThanEquals", _typed(_date, float.__ge__, _DATE)),
        Operator("Bool", _bool),
        Operator("BinaryEquals", _typed(_bytes, bytes.__eq__, "write base64")),
        Operator("IpAddress", _in_network),
        Operator("NotIpAddress", _in_network, negated=True),
    ]


OPERATORS: Final = {operator.name.lower(): operator for operator in _table()}
