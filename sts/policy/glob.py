"""Matching with `*` (any text) and `?` (one character), as IAM has it, in bounded time.

A pattern is cut at its stars; each piece is sought once, from left to right, and never again, since the leftmost
place is always as good as a later one. So the cost is at most pattern times text, whatever the pattern, and mostly
one `startswith`. Patterns are tokens, not text: a `*` that a policy variable put there is a plain character (`${*}`).
"""

import re
from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache
from typing import Final, TypeAlias


class Wild(Enum):
    """The two wildcards, as tokens between literal texts."""

    ANY = "*"
    ONE = "?"


Token: TypeAlias = str | Wild
Matcher: TypeAlias = Callable[[str], bool]

_WILDCARD: Final = re.compile(r"([*?])")


def tokens(text: str) -> list[Token]:
    """The literal texts and wildcards of a pattern, in order."""
    return [Wild(part) if part in {"*", "?"} else part for part in _WILDCARD.split(text) if part]


def compiled(pattern: Iterable[Token]) -> Matcher:
    """A function that tells whether a whole text matches."""
    pieces = _pieces(pattern)
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return first.__eq__ if isinstance(first, str) else _whole(first)
    if len(pieces) == 2 and isinstance(first, str) and last == "":  # noqa: PLR2004 -- text*, by far the commonest
        return _prefixed(first)
    return _sought(pieces)


@lru_cache(maxsize=4096)
def glob(text: str) -> Matcher:
    """`compiled(tokens(text))`, shared between the many policies that hold the same pattern."""
    return compiled(tokens(text))


# What stands between two stars: a text, or (where it has a `?`) a regular expression of literals and single dots.
# Without a repetition in it such an expression cannot backtrack.
_Piece: TypeAlias = str | re.Pattern[str]


def _pieces(pattern: Iterable[Token]) -> list[_Piece]:
    runs: list[list[Token]] = [[]]
    for token in pattern:
        if token is Wild.ANY:
            runs.append([])
        else:
            runs[-1].append(token)
    return [_piece(run) for run in runs]


def _piece(run: list[Token]) -> _Piece:
    if Wild.ONE not in run:
        return "".join(token for token in run if isinstance(token, str))
    return re.compile("".join(re.escape(token) if isinstance(token, str) else "." for token in run), re.DOTALL)


def _prefixed(prefix: str) -> Matcher:
    return lambda text: text.startswith(prefix)


def _whole(piece: re.Pattern[str]) -> Matcher:
    return lambda text: piece.fullmatch(text) is not None


def _sought(pieces: list[_Piece]) -> Matcher:
    first, last = pieces[0], pieces[-1]
    middle = [piece for piece in pieces[1:-1] if piece != ""]

    def match(text: str) -> bool:
        at = _start(first, text)
        stop = _end(last, text)
        if at < 0 or stop < at:
            return False
        for piece in middle:
            at = _after(piece, text, at, stop)
            if at < 0:
                return False
        return True

    return match


def _start(piece: _Piece, text: str) -> int:
    """Where the text goes on after its first piece, or -1."""
    if isinstance(piece, str):
        return len(piece) if text.startswith(piece) else -1
    found = piece.match(text)
    return found.end() if found else -1


def _end(piece: _Piece, text: str) -> int:
    """Where the last piece begins at the end of the text, or -1."""
    if isinstance(piece, str):
        return len(text) - len(piece) if text.endswith(piece) else -1
    begin = len(text) - _width(piece)
    return begin if begin >= 0 and piece.fullmatch(text, begin) else -1


def _after(piece: _Piece, text: str, at: int, stop: int) -> int:
    """Where the leftmost occurrence of a piece within text[at:stop] ends, or -1."""
    if isinstance(piece, str):
        found = text.find(piece, at, stop)
        return found + len(piece) if found >= 0 else -1
    place = piece.search(text, at, stop)
    return place.end() if place else -1


@lru_cache(maxsize=1024)
def _width(piece: re.Pattern[str]) -> int:
    """How many characters a piece takes: escapes are two characters for one."""
    return len(re.sub(r"\\(.)", r"\1", piece.pattern, flags=re.DOTALL))
