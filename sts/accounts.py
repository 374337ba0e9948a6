"""IAM's state: accounts with their providers, roles, users and keys, every policy in it understood.

Frozen, and made only by `sts.accountfile`; a reload makes a new one. Look-ups are by what a request carries: a role's
ARN, an issuer, an access key id.
"""

from collections.abc import Mapping
from typing import Self

import msgspec

from sts.mfa import Device
from sts.policy import Permissions, Policy, managed_by_aws


class Local(msgspec.Struct, frozen=True):
    """How to reach an issuer that AWS could not; nothing of it exists in IAM.

    Attributes:
        ca_bundle: file with the certificates that the issuer's servers are trusted by.
        discovery_url: where its discovery document is, if not below the issuer's own URL.
        token_file: bearer token for both documents, re-read at each fetch.
        jwks_file: the keys themselves; nothing is fetched then.
    """

    ca_bundle: str = ""
    discovery_url: str = ""
    token_file: str = ""
    jwks_file: str = ""


class Provider(msgspec.Struct, frozen=True):
    """A registered OIDC provider; `local` is None where only AWS's own rules for reaching it hold."""

    arn: str
    url: str
    client_ids: frozenset[str]
    local: Local | None = None


class Role(msgspec.Struct, frozen=True):
    """A role; `permissions` are its own policies and its boundary."""

    account: str
    name: str
    arn: str
    unique_id: str
    max_session_duration: int
    trust: Policy
    permissions: Permissions
    tags: Mapping[str, str] = {}

    def session_arn(self, session_name: str) -> str:
        """The ARN of a session, in which the role's path does not appear."""
        partition = self.arn.split(":", 2)[1]
        return f"arn:{partition}:sts::{self.account}:assumed-role/{self.name}/{session_name}"


class User(msgspec.Struct, frozen=True):
    """A user; `permissions` hold its groups' policies too."""

    account: str
    name: str
    arn: str
    unique_id: str
    permissions: Permissions
    tags: Mapping[str, str] = {}


class Root(msgspec.Struct, frozen=True):
    """The owner of an account, whom no policy limits and no role takes."""

    account: str
    arn: str


class AccessKey(msgspec.Struct, frozen=True):
    """A long-lived access key."""

    access_key_id: str
    secret: str
    owner: User | Root


class Accounts(msgspec.Struct, frozen=True):
    """All that is known, by what requests carry.

    Attributes:
        providers: (account, issuer URL) -> provider.
        roles: ARN -> role.
        users: ARN -> user.
        access_keys: access key id -> key.
        managed: (account, ARN) -> managed policy.
        devices: serial number -> MFA device.
    """

    ids: frozenset[str]
    providers: Mapping[tuple[str, str], Provider]
    roles: Mapping[str, Role]
    users: Mapping[str, User]
    access_keys: Mapping[str, AccessKey]
    managed: Mapping[tuple[str, str], Policy] = {}
    devices: Mapping[str, Device] = {}

    def managed_policy(self, account: str, arn: str) -> Policy | None:
        """A managed policy that `account` can attach: its own, or one of AWS's that are known here."""
        return self.managed.get((account, arn)) or managed_by_aws(arn)

    @classmethod
    def none(cls) -> Self:
        """No account at all."""
        return cls(frozenset(), {}, {}, {}, {})

    def counts(self) -> dict[str, int]:
        """How many of each kind there are."""
        return {
            "accounts": len(self.ids),
            "providers": len(self.providers),
            "roles": len(self.roles),
            "users": len(self.users),
            "access_keys": len(self.access_keys),
        }
