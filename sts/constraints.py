r"""The shapes of parameters, as AWS's service model has them, and its words for what breaks them.

Lengths count characters. `\w` is ASCII only. Every broken constraint is reported, in the order of the shape's members.
"""

import functools
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sts import refusals
from sts.wire import Parameters


@dataclass(frozen=True, slots=True)
class Shape:
    """Limits of one text parameter.

    Attributes:
        pattern: as AWS prints it.
        admits: true of a value with which nothing is wrong.
    """

    shortest: int = 0
    longest: int = 0
    pattern: str = ""
    required: bool = False
    secret: bool = False
    admits: Callable[[str], object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "admits", _admitting(self.shortest, self.longest, self.pattern))

    def problems(self, name: str, value: str | None) -> list[str]:
        """What is wrong with `value`, in AWS's words."""
        if value is None:
            return [_problem(name, "null", "Member must not be null", quoted=False)] if self.required else []
        shown = "***" if self.secret else value
        found = []
        if len(value) < self.shortest:
            found.append(_problem(name, shown, f"Member must have length greater than or equal to {self.shortest}"))
        if self.longest and len(value) > self.longest:
            found.append(_problem(name, shown, f"Member must have length less than or equal to {self.longest}"))
        if self.pattern and not _matcher(self.pattern)(value):
            found.append(_problem(name, shown, f"Member must satisfy regular expression pattern: {self.pattern}"))
        return found


_TAG_CHARACTERS: Final = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"


@functools.cache
def _matcher(pattern: str) -> Callable[[str], object]:
    """What is true of a text that matches Java's pattern from end to end."""
    if pattern.startswith(_TAG_CHARACTERS):
        # Letters, separators and numbers of any alphabet, which Python's patterns have no class for.
        return lambda value: all(unicodedata.category(each)[0] in "LZN" or each in "_.:/=+-@" for each in value)
    return re.compile(_spelled(pattern), re.ASCII).fullmatch


def _admitting(shortest: int, longest: int, pattern: str) -> Callable[[str], object]:
    """What is true of a text that has the length as well: one regular expression, wherever it can be one."""
    if pattern.startswith(_TAG_CHARACTERS):
        matches = _matcher(pattern)
        return lambda value: shortest <= len(value) <= (longest or math.inf) and matches(value)
    length = f"(?s:.{{{shortest},{longest or ''}}})"
    return re.compile(rf"(?={length}\Z){_spelled(pattern)}" if pattern else length, re.ASCII).fullmatch


def _spelled(pattern: str) -> str:
    """Java's pattern in Python's spelling, in which an escape of more than four digits is a capital U."""
    return pattern.replace(r"\u10000-\u10FFFF", r"\U00010000-\U0010FFFF")


_PRINTABLE: Final = r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+"
ROLE_ARN: Final = Shape(20, 2048, _PRINTABLE, required=True)
SESSION_NAME: Final = Shape(2, 64, r"[\w+=,.@-]*", required=True)
WEB_IDENTITY_TOKEN: Final = Shape(4, 20_000, required=True, secret=True)
PROVIDER_ID: Final = Shape(4, 2048)
SOURCE_IDENTITY: Final = Shape(2, 64, r"[\w+=,.@-]*")
EXTERNAL_ID: Final = Shape(2, 1224, r"[\w+=,.@:\/-]*")
SERIAL_NUMBER: Final = Shape(9, 256, r"[\w+=/:,.@-]*")
TOKEN_CODE: Final = Shape(6, 6, r"[\d]*", secret=True)
ACCESS_KEY_ID: Final = Shape(16, 128, r"[\w]*", required=True)
POLICY_ARN: Final = Shape(20, 2048, _PRINTABLE, required=True)
TAG_KEY: Final = Shape(1, 128, f"{_TAG_CHARACTERS}+", required=True)
TAG_VALUE: Final = Shape(0, 256, f"{_TAG_CHARACTERS}*", required=True)
POLICY: Final = Shape(1, 2048, r"[\u0009\u000A\u000D\u0020-\u00FF]+")
UNRESTRICTED_POLICY: Final = Shape(1, 0, POLICY.pattern)  # AssumeRole's; how long it may be its packing decides
TOKEN_SIZE: Final = range(4097)  # MinimumSessionTokenSize


def check(
    given: Parameters, shapes: Mapping[str, Shape], numbers: Mapping[str, range] | None = None, more: Iterable[str] = ()
) -> dict[str, int]:
    """Check the parameters; returns those of `numbers` that were given. `more` is told with what is wrong else.

    Raises:
        Refused: ValidationError with every broken constraint; MalformedInput where a number is none.
    """
    problems = []
    for name, shape in shapes.items():
        value = given.get(name)
        wrong = shape.required if value is None else not shape.admits(value)
        if wrong:
            problems += shape.problems(_member(name), value)
    found = {}
    for name, allowed in (numbers or {}).items():
        if (written := given.get(name)) is not None:
            found[name] = _number(name, written)
            problems += _out_of(allowed, name, found[name])
    problems += more
    if problems:
        raise refusals.validation(problems)
    return found


def _number(name: str, written: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", written, re.ASCII):
        raise refusals.Refused("MalformedInput", 400, "", f"{name} is no number")
    return int(written)


def _out_of(allowed: range, name: str, value: int) -> list[str]:
    if value < allowed.start:
        ending = f"Member must have value greater than or equal to {allowed.start}"
    elif value >= allowed.stop:
        ending = f"Member must have value less than or equal to {allowed.stop - 1}"
    else:
        return []
    return [_problem(_member(name), str(value), ending)]


def _member(name: str) -> str:
    return name[0].lower() + name[1:]


def _problem(name: str, value: str, ending: str, *, quoted: bool = True) -> str:
    shown = f"'{value}'" if quoted else value
    return f"Value {shown} at '{name}' failed to satisfy constraint: {ending}"
