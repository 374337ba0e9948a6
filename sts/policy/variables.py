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

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_NAME: Final = re.compile(r"\s*([A-Za-z0-9][\w.:/\-+=@ ]*?)\s*(?:,\s*'([^']*)'\s*)?", re.ASCII)


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
    end = 0
    for found in _VARIABLE.finditer(text):
        parts += _literal(text[end : found.start()], place, wildcards=wildcards)
        parts.append(_variable(found[1], place))
        end = found.end()
    parts += _literal(text[end:], place, wildcards=wildcards)
    return Template(tuple(parts))


def _literal(text: str, place: str, *, wildcards: bool) -> list[Token]:
    if "${" in text:
        raise PolicyError(place, f"the policy variable in {text!r} is not closed", "end it with `}`, or write `${$}{`")
    return tokens(text) if wildcards else [text] * bool(text)


def _variable(inner: str, place: str) -> Token | Variable:
    if inner in {"*", "?", "$"}:
        return inner
    named = _NAME.fullmatch(inner)
    if not named:
        raise PolicyError(
            place, f"${{{inner}}} is no policy variable", "write ${key} or ${key, 'default'}, such as ${aws:username}"
        )
    return Variable(named[1].lower(), named[2])
