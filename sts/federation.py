"""The claims by which an identity provider marks a session: tags, source identity, and the roles it vouches for.

The names are AWS's: `https://aws.amazon.com/tags` (as one object, or flattened into one claim a tag),
`https://aws.amazon.com/source_identity`, `https://aws.amazon.com/roles`. kube-apiserver cannot write them; other
issuers can.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from sts import constraints, refusals, scope

_TAGS: Final = "https://aws.amazon.com/tags"
_FLAT_TAG: Final = f"{_TAGS}/principal_tags/"
_FLAT_TRANSITIVE: Final = f"{_TAGS}/transitive_tag_keys"
_SOURCE_IDENTITY: Final = "https://aws.amazon.com/source_identity"
_ROLES: Final = "https://aws.amazon.com/roles"


def tags(claims: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Session tags and the keys of the transitive ones.

    Raises:
        Refused: InvalidIdentityToken; the claim is not of AWS's form, or a tag is none.
    """
    nested = claims.get(_TAGS, {})
    if not isinstance(nested, Mapping):
        raise _malformed(_TAGS)
    given = nested.get("principal_tags", {})
    if not isinstance(given, Mapping):
        raise _malformed(_TAGS)
    flat = {name[len(_FLAT_TAG) :]: value for name, value in claims.items() if name.startswith(_FLAT_TAG)}
    pairs = [(key, _one(value)) for key, value in (*given.items(), *flat.items())]
    if len(pairs) > scope.TAGS:
        raise refusals.invalid_token(f"Too many session tags; at most {scope.TAGS} are allowed")
    for key, value in pairs:
        if constraints.TAG_KEY.problems("key", key) or constraints.TAG_VALUE.problems("value", value):
            raise refusals.invalid_token("A session tag in the token is invalid", f"tag {key[:128]!r}")
    return scope.tagged(pairs), _texts(nested.get("transitive_tag_keys", claims.get(_FLAT_TRANSITIVE, [])))


def source_identity(claims: Mapping[str, Any]) -> str:
    """The source identity, or nothing.

    Raises:
        Refused: InvalidIdentityToken; it is none.
    """
    value = claims.get(_SOURCE_IDENTITY)
    if value is None:
        return ""
    if (
        not isinstance(value, str)
        or constraints.SOURCE_IDENTITY.problems("source", value)
        or re.match("(?i)aws:", value)
    ):
        raise _malformed(_SOURCE_IDENTITY)
    return value


def vouched(claims: Mapping[str, Any], role_arn: str) -> bool:
    """Whether the token names the role among those that it may be used for; False where it names none at all.

    Raises:
        Refused: InvalidIdentityToken; it names other roles only.
    """
    if _ROLES not in claims:
        return False
    value = claims[_ROLES]
    if role_arn not in _texts([value] if isinstance(value, str) else value):
        raise refusals.invalid_token("The token is not for this role", f"claim {_ROLES} does not name {role_arn}")
    return True


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
