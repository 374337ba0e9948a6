"""Which ServiceAccounts get EKS Pod Identity instead of a role: the Go webhook's file of container credentials."""

from typing import Final

import msgspec

Identities = frozenset[tuple[str, str]]

NOBODY: Final[Identities] = frozenset()


class _Identity(msgspec.Struct, frozen=True, rename="camel"):
    namespace: str = ""
    service_account: str = ""


class _File(msgspec.Struct, frozen=True):
    identities: list[_Identity] | None = None


class IdentitiesError(Exception):
    """The text cannot be used; the message says what would be right."""


def read(text: bytes) -> Identities:
    """Namespace and name of each identity in `{"identities": [{"namespace": …, "serviceAccount": …}]}`.

    An empty text is nobody.

    Raises:
        IdentitiesError: it is something else.
    """
    if not text.strip():
        return NOBODY
    try:
        found = msgspec.json.decode(text, type=_File)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise IdentitiesError(
            f'{problem}; must be {{"identities": [{{"namespace": "…", "serviceAccount": "…"}}]}}'
        ) from problem
    return frozenset((each.namespace, each.service_account) for each in found.identities or ())
