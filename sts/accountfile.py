"""The account file's shape: IAM's own, as `get-account-authorization-details` prints it, plus what that lacks.

Only the shape stands here, for msgspec to hold a document to; `sts.loading` gives it its meaning. Members that
an export carries and that no decision needs (dates, counts) are named, so that an export can be used as it is while a
misspelt member is refused.
"""

import difflib
import re
from typing import Any

import msgspec

PolicyDocument = dict[str, Any] | str
"""An object, JSON text (Terraform) or URL-encoded JSON (the API)."""


class _Shape(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """Members in IAM's spelling; an unknown one is refused."""


class Tag(_Shape, frozen=True):
    """A tag of a role, user or provider."""

    key: str
    value: str


class InlinePolicy(_Shape, frozen=True):
    """A policy inside a role, user or group."""

    policy_name: str
    policy_document: PolicyDocument


class AttachedPolicy(_Shape, frozen=True):
    """A managed policy by its ARN."""

    policy_arn: str
    policy_name: str = ""


class Boundary(_Shape, frozen=True):
    """A permissions boundary by its ARN."""

    permissions_boundary_arn: str
    permissions_boundary_type: str = "Policy"


class LocalReach(_Shape, frozen=True):
    """Ours: how to reach an issuer that AWS could not."""

    ca_bundle: str = msgspec.field(name="CABundle", default="")
    discovery_url: str = msgspec.field(name="DiscoveryURL", default="")
    token_file: str = ""
    jwks_file: str = msgspec.field(name="JWKSFile", default="")


class OpenIDConnectProvider(_Shape, frozen=True):
    """As `get-open-id-connect-provider` prints it."""

    url: str
    client_id_list: tuple[str, ...] = msgspec.field(name="ClientIDList", default=())
    thumbprint_list: tuple[str, ...] = ()
    local: LocalReach | None = None
    open_id_connect_provider_arn: str = msgspec.field(name="OpenIDConnectProviderArn", default="")
    tags: tuple[Tag, ...] = ()
    create_date: Any = None


class RoleDetail(_Shape, frozen=True):
    """A role; MaxSessionDuration and Description are from `get-role`."""

    role_name: str
    assume_role_policy_document: PolicyDocument
    path: str = "/"
    role_id: str = ""
    arn: str = ""
    max_session_duration: int = 3600
    role_policy_list: tuple[InlinePolicy, ...] = ()
    attached_managed_policies: tuple[AttachedPolicy, ...] = ()
    permissions_boundary: Boundary | None = None
    tags: tuple[Tag, ...] = ()
    description: str = ""
    create_date: Any = None
    role_last_used: Any = None
    instance_profile_list: Any = None


class UserDetail(_Shape, frozen=True):
    """A user."""

    user_name: str
    path: str = "/"
    user_id: str = ""
    arn: str = ""
    group_list: tuple[str, ...] = ()
    user_policy_list: tuple[InlinePolicy, ...] = ()
    attached_managed_policies: tuple[AttachedPolicy, ...] = ()
    permissions_boundary: Boundary | None = None
    tags: tuple[Tag, ...] = ()
    create_date: Any = None


class GroupDetail(_Shape, frozen=True):
    """A group; a user names its groups."""

    group_name: str
    path: str = "/"
    group_id: str = ""
    arn: str = ""
    group_policy_list: tuple[InlinePolicy, ...] = ()
    attached_managed_policies: tuple[AttachedPolicy, ...] = ()
    create_date: Any = None


class PolicyVersion(_Shape, frozen=True):
    """One version of a managed policy."""

    document: PolicyDocument
    version_id: str = "v1"
    is_default_version: bool = True
    create_date: Any = None


class ManagedPolicy(_Shape, frozen=True):
    """A managed policy with all its versions."""

    policy_version_list: tuple[PolicyVersion, ...]
    policy_name: str
    path: str = "/"
    arn: str = ""
    policy_id: str = ""
    default_version_id: str = ""
    attachment_count: Any = None
    permissions_boundary_usage_count: Any = None
    is_attachable: Any = None
    description: str = ""
    create_date: Any = None
    update_date: Any = None


class DeviceUser(_Shape, frozen=True):
    """Whose device it is; IAM prints the whole user."""

    user_name: str
    path: str = "/"
    user_id: str = ""
    arn: str = ""
    create_date: Any = None
    password_last_used: Any = None
    tags: tuple[Tag, ...] = ()


class VirtualMFADevice(_Shape, frozen=True):
    """As `create-virtual-mfa-device` and `list-virtual-mfa-devices` print it; only the former knows the seed."""

    serial_number: str
    base32_string_seed: str = msgspec.field(name="Base32StringSeed")
    user: DeviceUser
    enable_date: Any = None
    qr_code_png: Any = msgspec.field(name="QRCodePNG", default=None)
    tags: tuple[Tag, ...] = ()


class AccessKeyEntry(_Shape, frozen=True):
    """A long-lived key of a user, or of `<root_account>`; no export has its secret."""

    user_name: str
    access_key_id: str
    secret_access_key: str
    status: str = "Active"


class Account(_Shape, frozen=True):
    """An account: the output of `get-account-authorization-details` and what that lacks."""

    account_id: str
    account_alias: str = ""
    partition: str = "aws"
    open_id_connect_providers: tuple[OpenIDConnectProvider, ...] = msgspec.field(
        name="OpenIDConnectProviders", default=()
    )
    role_detail_list: tuple[RoleDetail, ...] = ()
    user_detail_list: tuple[UserDetail, ...] = ()
    group_detail_list: tuple[GroupDetail, ...] = ()
    policies: tuple[ManagedPolicy, ...] = ()
    access_keys: tuple[AccessKeyEntry, ...] = ()
    virtual_mfa_devices: tuple[VirtualMFADevice, ...] = msgspec.field(name="VirtualMFADevices", default=())
    is_truncated: bool = False
    marker: str | None = None


class AccountFile(_Shape, frozen=True):
    """The whole file."""

    accounts: tuple[Account, ...]


def cured(problem: str) -> str:
    """What msgspec says is wrong, and what would be right where that can be told."""
    if unknown := re.fullmatch(r"Object contains unknown field `(.+)`", problem, re.DOTALL):
        near = difflib.get_close_matches(unknown[1][:64], _members(_Shape), 1)
        return f"{problem}; did you mean `{near[0]}`?" if near else f"{problem}, which is none that IAM prints"
    if re.match(r"Expected `str`, got `(int|float|bool)`", problem):
        return f"{problem}; write it in quotes"
    return problem


def _members(shape: type[msgspec.Struct]) -> set[str]:
    """The members of a shape and of all that are made of it."""
    own = {field.encode_name for field in msgspec.structs.fields(shape)}
    return own.union(*(_members(each) for each in shape.__subclasses__()))
