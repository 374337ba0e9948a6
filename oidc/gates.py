"""What may not be published, whatever a source says.

The JWKS is the trust root: whoever can write it can assume every role. So a set that looks like an accident or an
attack is held back, the last good one stays in service, and somebody has to look.

    gate       holds back
    empty      a set without a usable key
    issuer     another issuer than before, or than the operator named
    disjoint   a set that shares no key with the one before
    limit      more than 100 RSA or 100 EC keys, which is what AWS STS reads
    conflict   two different keys of one kid, at once (in `jwks`) or one after the other
    private    a private member (in `jwk`)
    shared     the issuer of another cluster of this process
"""

from collections.abc import Sequence
from typing import Final

from oidc.errors import RefusedError
from oidc.jwks import KeySet

LIMIT: Final = 100  # keys of one type
WARNING: Final = 80
SHARED_WARNING: Final = (
    "clusters may share an issuer: a ServiceAccount of one is then the same `sub` as that of the same name in another, "
    "and whoever makes it there has its roles"
)


def check_issuer(issuer: str, expected: str | None) -> None:
    """Refuse an issuer that is not the expected one; None expects nothing yet."""
    if expected is not None and issuer != expected:
        raise RefusedError("issuer", f"the source's issuer is {issuer!r}, not {expected!r}; restart to accept another")


def check_alone(issuer: str, others: Sequence[str], *, shared: bool) -> None:
    """Refuse an issuer that `others`, clusters of this process, have already, unless it may be `shared`."""
    if others and not shared:
        raise RefusedError("shared", f"cluster {others[0]!r} has the issuer {issuer!r} already; see --shared-issuer")


def check_keys(keys: KeySet, before: KeySet) -> None:
    """Refuse a set that must not follow what was published `before` (empty: nothing was)."""
    if not keys:
        raise RefusedError("empty", "the source has no usable key; nobody could verify anything")
    known = {key.kid: key for key in before}
    if known and known.keys().isdisjoint(key.kid for key in keys):
        raise RefusedError(
            "disjoint",
            f"none of the source's keys {[key.kid for key in keys]} was published before; "
            "if they are right, `irsa keys stage` one of them",
        )
    for key in keys:
        if known.get(key.kid, key) != key:
            raise RefusedError("conflict", f"the source has another key of the kid {key.kid[:64]!r} than before")
    check_limit(keys)


def check_limit(keys: KeySet) -> None:
    """Refuse more keys of a type than STS reads."""
    for kty, count in counts(keys).items():
        if count > LIMIT:
            raise RefusedError("limit", f"{count} {kty} keys; AWS STS reads at most {LIMIT}")


def counts(keys: KeySet) -> dict[str, int]:
    """How many keys there are of each type."""
    types = [key.kty for key in keys]
    return {kty: types.count(kty) for kty in sorted(set(types))}
