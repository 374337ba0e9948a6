"""The claims by which an identity provider marks a session: tags, source identity, and the roles it vouches for.

The names are AWS's: `https://aws.amazon.com/tags` (as one object, or flattened into one claim a tag),
`https://aws.amazon.com/source_identity`, `https://aws.amazon.com/roles`. kube-apiserver cannot write them; other
issuers can.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sts import constraints, refusals, scope

_NAMESPACE: Final = "https://aws.amazon.com/"
_TAGS: Final = f"{_NAMESPACE}tags"
_FLAT_TAG: Final = f"{_TAGS}/principal_tags/"
_FLAT_TRANSITIVE: Final = f"{_TAGS}/transitive_tag_keys"
_SOURCE_IDENTITY: Final = f"{_NAMESPACE}source_identity"
_ROLES: Final = f"{_NAMESPACE}roles"


class Marks(msgspec.Struct, frozen=True):
    """What a token says of the session that it is to begin.

    Attributes:
        tags: session tags.
        transitive: the keys of the transitive ones.
        source_identity: empty where there is none.
        roles: those that the token may be used for; None where it names none.
    """

    tags: Mapping[str, str] = {}
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    roles: tuple[str, ...] | None = None

    def vouch_for(self, role_arn: str) -> bool:
        """Whether the token names the role among those that it may be used for; False where it names none at all.

        Raises:
            Refused: InvalidIdentityToken; it names other roles only.
        """
        if self.roles is not None and role_arn not in self.roles:
            raise refusals.invalid_token("The token is not for this role", f"claim {_ROLES} does not name {role_arn}")
        return self.roles is not None


NOTHING: Final = Marks()


def marks(claims: Mapping[str, Any]) -> Marks:
    """What the claims mark the session with.

    Raises:
        Refused: InvalidIdentityToken; a claim is not of AWS's form.
    """
    if _NAMESPACE not in "\n".join(claims):  # as a rule
        return NOTHING
    tags, transitive = _tags(claims)
    return Marks(tags, transitive, _source_identity(claims), _roles(claims))


def _tags(claims: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    nested = claims.get(_TAGS, {})
    if not isinstance(nested, dict):
        raise _malformed(_TAGS)
    given = nested.get("principal_tags", {})
    if not isinstance(given, dict):
        raise _malformed(_TAGS)
    flat = {name[len(_FLAT_TAG) :]: value for name, value in claims.items() if name.startswith(_FLAT_TAG)}
    pairs = [(key, _one(value)) for key, value in (*given.items(), *flat.items())]
    if len(pairs) > scope.TAGS:
        raise refusals.invalid_token(f"Too many session tags; at most {scope.TAGS} are allowed")
    for key, value in pairs:
        if not (constraints.TAG_KEY.admits(key) and constraints.TAG_VALUE.admits(value)):
            raise refusals.invalid_token("A session tag in the token is invalid", f"tag {key[:128]!r}")
    return scope.tagged(pairs), _texts(nested.get("transitive_tag_keys", claims.get(_FLAT_TRANSITIVE, [])))


def _source_identity(claims: Mapping[str, Any]) -> str:
    value = claims.get(_SOURCE_IDENTITY)
    if value is None:
        return ""
    if not isinstance(value, str) or not constraints.SOURCE_IDENTITY.admits(value) or value[:4].lower() == "aws:":
        raise _malformed(_SOURCE_IDENTITY)
    return value


def _roles(claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    if _ROLES not in claims:
        return None
    value = claims[_ROLES]
    return _texts([value] if isinstance(value, str) else value)


def _one(value: object) -> str:
    """The value of a tag, which stands in a list of one."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], str):
        raise _malformed(_TAGS)
    return values[0]


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _malformed(_TAGS)
    return tuple(values)


def _malformed(claim: str) -> refusals.Refused:
    return refusals.invalid_token(f"The claim {claim} is malformed")
