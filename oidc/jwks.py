"""A set of public keys, and its one canonical form.

Keys are sorted by kid and their members by name, so that equal sets are equal bytes on every replica and an ETag can be
strong. A set never holds two different keys of one kid: a relying party would take either.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from oidc.errors import DocumentError, RefusedError
from oidc.jwk import JWK, Unsuitable, from_members

BODY_LIMIT: Final = 1 << 20  # bytes; 200 RSA keys of 4096 bits are 170 KB
KEYS_READ_LIMIT: Final = 1000

KeySet = tuple[JWK, ...]


class Left(msgspec.Struct, frozen=True):
    """A key of the source that is not published, and why."""

    kid: str
    reason: str


class _Set(msgspec.Struct, frozen=True):
    keys: list[dict[str, object]]


def parse(body: bytes, place: str) -> tuple[KeySet, tuple[Left, ...]]:
    """Read a JWKS: the keys that may be published, and those left out. `place` is named in errors.

    Raises:
        DocumentError: it is too large or no JWKS.
        RefusedError: it holds a private key, or two keys of one kid.
    """
    if len(body) > BODY_LIMIT:
        raise DocumentError(f"{place}: more than {BODY_LIMIT} bytes")
    try:
        entries = msgspec.json.decode(body, type=_Set).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DocumentError(f"{place}: no JWKS: {problem}") from None
    if len(entries) > KEYS_READ_LIMIT:
        raise DocumentError(f"{place}: {len(entries)} keys; at most {KEYS_READ_LIMIT} are read")
    keys, left = [], []
    for members in entries:
        try:
            keys.append(from_members(members))
        except Unsuitable as unsuitable:
            left.append(Left(str(members.get("kid", ""))[:64], str(unsuitable)))
    return union(keys), tuple(left)


def union(keys: Iterable[JWK]) -> KeySet:
    """The keys in canonical order, each once.

    Raises:
        RefusedError: two different keys have one kid.
    """
    by_kid: dict[str, JWK] = {}
    for key in keys:
        if by_kid.setdefault(key.kid, key) != key:
            raise RefusedError("conflict", f"two different keys have the kid {key.kid[:64]!r}")
    return tuple(by_kid[kid] for kid in sorted(by_kid))


def render(keys: KeySet) -> bytes:
    """The canonical bytes of a JWKS."""
    return msgspec.json.encode({"keys": union(keys)}, order="sorted")
