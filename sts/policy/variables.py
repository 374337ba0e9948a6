"""Policy variables: `${aws:username}`, `${key, 'default'}` and the three escapes `${*}`, `${?}`, `${$}`.

A text is cut once, when the policy is parsed, into literals, wildcards and variables; a request then fills the
variables in. What a variable brings is literal text, so a `*` in a user's tag is no wildcard. Only documents of
version 2012-10-17 have variables; in older ones `${` is plain text.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from sts.policy.errors import PolicyError
from sts.policy.glob import Token, tokens

Context: TypeAlias = Mapping[str, tuple[str, ...]]

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.:/\-+=@ ]*")
_DEFAULT: Final = re.compile(r"'[^']*'")


class Variable(msgspec.Struct, frozen=True):
    """A context key whose value is put here, and what stands there where the request has none."""

    key: str
    default: str | None = None

    def value(self, context: Context) -> str | None:
        """The one value of the key; None where it is missing or has several, which no text can hold."""
        seen = context.get(self.key, ())
        return seen[0] if len(seen) == 1 else self.default


class Template(msgspec.Struct, frozen=True):
    """A text with variables in it."""

    parts: tuple[Token | Variable, ...]

    def text(self, context: Context) -> str | None:
        """The text for this request where it was cut without wildcards; None where a variable has no value."""
        parts = self.tokens(context)
        return None if parts is None else "".join(str(part) for part in parts)

    def tokens(self, context: Context) -> list[Token] | None:
        """The pattern for this request; None where a variable has no value, and nothing can be compared with it."""
        filled: list[Token] = []
        for part in self.parts:
            value = part.value(context) if isinstance(part, Variable) else part
            if value is None:
                return None
            filled.append(value)
        return filled


def template(text: str, place: str, *, wildcards: bool) -> Template | None:
    """The template that `text` is, or None where it has no variable and no escape in it.

    Raises:
        PolicyError: A variable that is not closed or has no proper name.
    """
    if "${" not in text:
        return None
    parts: list[Token | Variable] = []
    literal, *rest = text.split("${")
    parts += _literal(literal, wildcards=wildcards)
    for piece in rest:
        inner, closed, literal = piece.partition("}")
        if not closed:
            raise PolicyError(
                place, f"the policy variable in {text!r} is not closed", "end it with `}`, or write `${$}{`"
            )
        parts.append(_variable(inner, place))
        parts += _literal(literal, wildcards=wildcards)
    return Template(tuple(parts))


def _literal(text: str, *, wildcards: bool) -> list[Token]:
    return tokens(text) if wildcards else [text] * bool(text)


def _variable(inner: str, place: str) -> Token | Variable:
    if inner in {"*", "?", "$"}:
        return inner
    # Stripped, not matched with blanks around: a pattern for that would try each blank as part of the name too.
    name, comma, default = (part.strip() for part in inner.partition(","))
    if not _NAME.fullmatch(name) or (comma and not _DEFAULT.fullmatch(default)):
        raise PolicyError(
            place, f"${{{inner}}} is no policy variable", "write ${key} or ${key, 'default'}, such as ${aws:username}"
        )
    return Variable(name.lower(), default[1:-1] if comma else None)
