"""Who gives a ServiceAccount's pods their identity, where several could.

The Go webhook's order: EKS Pod Identity's file, then the ServiceAccount's own role, then the ConfigMap's entry for just
that ServiceAccount, then the ConfigMap's entry for its name in any namespace, then nobody.
"""

from typing import Final

import msgspec

from webhook.annotations import Defaults, RoleBinding, Unbound
from webhook.identities import NOBODY, Identities
from webhook.mapping import Mapping
from webhook.store import Standing, Unknown

DEFAULT_EXPIRATION: Final = 86400  # seconds; what Pod Identity takes where nothing is known, whatever the flag says
JITTER: Final = 7200  # seconds by which it is then shortened at most, so that tokens do not all end at once


class PodIdentity(msgspec.Struct, frozen=True):
    """EKS Pod Identity for a pod."""

    expiration: int
    regional_sts: bool


Grant = RoleBinding | PodIdentity | Unbound | Unknown


class Sources(msgspec.Struct, frozen=True):
    """What beside annotations gives identities."""

    mapping: Mapping = Mapping()
    identities: Identities = NOBODY

    def settled(self, namespace: str, name: str) -> bool:
        """Whether they say something of a ServiceAccount, so that its absence from the table is no reason to ask."""
        return (namespace, name) in self.identities or self.mapping.find(namespace, name) is not None


def grant(namespace: str, name: str, standing: Standing, sources: Sources, defaults: Defaults) -> Grant:
    """What the pods of a ServiceAccount are given."""
    if (namespace, name) in sources.identities:
        return _pod_identity(standing, sources.mapping.exact(namespace, name), defaults)
    if isinstance(standing, RoleBinding):
        return standing
    mapped = sources.mapping.find(namespace, name)
    return mapped if mapped is not None and mapped.role_arn else standing


def _pod_identity(standing: Standing, mapped: RoleBinding | None, defaults: Defaults) -> PodIdentity:
    if isinstance(standing, RoleBinding):
        return PodIdentity(standing.expiration, standing.regional_sts)
    if isinstance(standing, Unbound):
        return PodIdentity(
            defaults.expiration if standing.expiration is None else standing.expiration,
            defaults.regional_sts if standing.regional_sts is None else standing.regional_sts,
        )
    if mapped is not None:
        return PodIdentity(mapped.expiration, mapped.regional_sts)
    return PodIdentity(DEFAULT_EXPIRATION, regional_sts=False)
