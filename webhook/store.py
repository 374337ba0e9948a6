"""The table of ServiceAccounts: what each one gives its pods.

A name that was never seen is Unknown, which is not the same as a ServiceAccount without a role: both are worth a look
at the API server, for different reasons. Two levels of plain dictionaries, since tens of thousands of entries have to
stay small.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from webhook.annotations import Defaults, RoleBinding, Unbound, read_service_account


class Unknown(msgspec.Struct, frozen=True):
    """No ServiceAccount of that name has been seen."""


Standing = RoleBinding | Unbound | Unknown

UNKNOWN: Final = Unknown()


class ServiceAccounts:
    """What the annotations of every ServiceAccount come to."""

    def __init__(self, defaults: Defaults) -> None:
        self._defaults = defaults
        self._namespaces: dict[str, dict[str, RoleBinding | Unbound]] = {}

    def find(self, namespace: str, name: str) -> Standing:
        """What is known of a ServiceAccount."""
        return self._namespaces.get(namespace, {}).get(name, UNKNOWN)

    def set(self, namespace: str, name: str, annotations: Mapping[str, str]) -> RoleBinding | Unbound:
        """It exists, with these annotations."""
        standing = read_service_account(f"{namespace}/{name}", annotations, self._defaults)
        self._namespaces.setdefault(namespace, {})[name] = standing
        return standing

    def remove(self, namespace: str, name: str) -> None:
        """It is gone."""
        names = self._namespaces.get(namespace, {})
        names.pop(name, None)
        if not names:
            self._namespaces.pop(namespace, None)

    def replace(self, other: "ServiceAccounts") -> None:
        """Hold what `other` holds and nothing else, at one stroke."""
        self._namespaces = other._namespaces  # noqa: SLF001 -- another one of us

    def empty(self) -> "ServiceAccounts":
        """A table of the same defaults, to be filled and then put into place by `replace`."""
        return ServiceAccounts(self._defaults)

    def __len__(self) -> int:
        return sum(len(names) for names in self._namespaces.values())

    @property
    def bound(self) -> int:
        """How many of them have a role."""
        return sum(isinstance(each, RoleBinding) for names in self._namespaces.values() for each in names.values())
