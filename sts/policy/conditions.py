"""Condition blocks, `{operator: {key: values}}`, become functions of the request's context when they are parsed.

The rules, of which each surprises someone: operators and keys are joined by AND, values by OR. A missing key makes an
operator false, a negated one (`StringNotEquals`) true, and any with `IfExists` true. `ForAllValues` is true of no
values at all, `ForAnyValue` false. `*` is a wildcard under Like and Arn operators only.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from sts.policy.errors import PolicyError
from sts.policy.model import Condition
from sts.policy.operators import OPERATORS, Operator, Test
from sts.policy.variables import Context

Holds: TypeAlias = Callable[[Context], bool]

_SETS: Final = ("ForAnyValue", "ForAllValues")


def conditions(block: object, place: str, *, variables: bool) -> tuple[Condition, ...]:
    """The conditions of a statement's Condition element.

    Raises:
        PolicyError: A shape, operator, key or value that is not understood.
    """
    found: list[Condition] = []
    for name, keys in _mapping(block, place, "operators such as StringEquals").items():
        where = f"{place}.{name}"
        for key, values in _mapping(keys, where, "condition keys such as aws:SourceIp").items():
            found.append(_condition(name, key, values, f"{where}.{key}", variables=variables))
    return tuple(found)


def _mapping(value: object, place: str, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise PolicyError(place, f"a {type(value).__name__} stands here", f"write an object of {what}")
    return value


def _condition(name: str, key: str, values: object, place: str, *, variables: bool) -> Condition:
    qualifier, bare, if_exists = _dissected(name)
    if not key:
        raise PolicyError(place, "the condition key is empty", "name one, such as aws:SourceIp")
    expected = _texts(values, place)
    if bare.lower() == "null" and not if_exists and not qualifier:
        return Condition("Null", key, expected, _null(key.lower(), expected, place))
    operator = OPERATORS.get(bare.lower())
    if operator is None or (qualifier and qualifier not in _SETS):
        raise PolicyError(place, f"{name!r} is no condition operator", f"use one of {_known()}")
    meets = _matching(operator, expected, place, variables=variables)
    holds = _holds(qualifier, key.lower(), meets, if_missing=if_exists or operator.negated, if_exists=if_exists)
    return Condition(name, key, expected, holds)


def _dissected(name: str) -> tuple[str, str, bool]:
    """Set qualifier as AWS spells it, bare operator, and whether IfExists stands at its end."""
    head, colon, bare = name.rpartition(":")
    qualifier = next((known for known in _SETS if known.lower() == head.lower()), head or colon)
    if bare.lower().endswith("ifexists"):
        return qualifier, bare[: -len("IfExists")], True
    return qualifier, bare, False


def _known() -> str:
    return ", ".join([*(operator.name for operator in OPERATORS.values()), "Null"])


def _texts(values: object, place: str) -> tuple[str, ...]:
    """The values as texts: JSON's booleans and numbers stand for their spelling."""
    many = values if isinstance(values, list | tuple) else [values]
    if not many:
        raise PolicyError(place, "the list of values is empty", "give at least one value")
    return tuple(_text(value, place) for value in many)


def _text(value: object, place: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise PolicyError(place, f"a {type(value).__name__} is no condition value", "write a string or a number")


def _matching(operator: Operator, expected: tuple[str, ...], place: str, *, variables: bool) -> Test:
    """Whether one seen value meets the operator: an expected value matches, or (negated) surely none does."""
    tests = [operator.test(value, place, variables=variables) for value in expected]
    negated = operator.negated
    if len(tests) == 1:
        only = tests[0]
        return (lambda seen, context: only(seen, context) is False) if negated else only
    if negated:
        return lambda seen, context: all(test(seen, context) is False for test in tests)
    return lambda seen, context: any(test(seen, context) for test in tests)


def _holds(qualifier: str, key: str, meets: Test, *, if_missing: bool, if_exists: bool) -> Holds:
    if qualifier == "ForAllValues":
        return lambda context: all(meets(seen, context) for seen in context.get(key, ()) if seen)
    if qualifier == "ForAnyValue":

        def any_value(context: Context) -> bool:
            values = context.get(key)
            return any(meets(seen, context) for seen in values if seen) if values else if_exists

        return any_value

    def single(context: Context) -> bool:
        values = context.get(key)
        if not values:
            return if_missing
        # Of several values no one is "the" value: AWS wants a set operator there, and without one nothing holds.
        return len(values) == 1 and meets(values[0], context) is True

    return single


def _null(key: str, expected: tuple[str, ...], place: str) -> Holds:
    wanted = {value.lower() for value in expected}
    if not wanted <= {"true", "false"}:
        raise PolicyError(
            place, f"Null takes true or false, not {expected}", "write true where the key must be missing"
        )
    return lambda context: ("false" if context.get(key) else "true") in wanted
