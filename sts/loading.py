"""The account file, understood: text in, `Accounts` out, or an error that names line, path and what would be right.

All or nothing: a policy that is not understood whole makes the file unusable, since an ignored one would make the local
answer differ from AWS's in silence.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from sts import accountfile as shape
from sts import identifiers, mfa
from sts.accounts import AccessKey, Accounts, Local, Provider, Role, Root, User
from sts.documents import AccountFileError, Document, Path, parsed
from sts.mfa import Device
from sts.policy import Kind, Permissions, Policy, PolicyError, managed_by_aws, parse

SIZE_LIMIT: Final = 64 * 1024 * 1024  # bytes; ten thousand roles take some fifteen million
_ACCOUNT_ID: Final = re.compile(r"\d{12}", re.ASCII)
_NAME: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_PATH: Final = re.compile(r"/|/[\x21-\x7e]{1,510}/")
_KEY_ID: Final = re.compile(r"\w{16,128}", re.ASCII)
_CLIENT_IDS: Final = 100
_PROVIDERS: Final = 100  # for each account, as IAM's quota
_DURATIONS: Final = range(3600, 43201)
_URL_LIMIT: Final = 255
_EMBEDDING: Final = tuple(
    ipaddress.IPv6Network(each) for each in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
)
ROOT: Final = "<root_account>"  # as IAM's credential report names the root user


def load(content: bytes) -> Accounts:
    """The accounts of a file.

    Raises:
        AccountFileError: the file cannot be used; names line and path.
    """
    if len(content) > SIZE_LIMIT:
        raise AccountFileError(f"larger than {SIZE_LIMIT} bytes")
    try:
        document = Document(content.decode())
    except UnicodeDecodeError as problem:
        raise AccountFileError(f"no UTF-8: {problem}") from problem
    try:
        file = msgspec.convert(document.value, shape.AccountFile)
    except msgspec.ValidationError as problem:
        text, _, place = str(problem).partition(" - at `")
        raise document.error(parsed(place.rstrip("`")), shape.cured(text)) from problem
    except UnicodeEncodeError as problem:
        raise AccountFileError("a text in it has half a surrogate pair, which is no character") from problem
    return _Reader(document).accounts(file)


class _Reader:
    """Gives each entry of a file its meaning; an error is raised at the entry's own path."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._providers: dict[tuple[str, str], Provider] = {}
        self._roles: dict[str, Role] = {}
        self._users: dict[str, User] = {}
        self._keys: dict[str, AccessKey] = {}
        self._ids: dict[str, str] = {}
        self._managed: dict[tuple[str, str], Policy] = {}
        self._devices: dict[str, Device] = {}

    def accounts(self, file: shape.AccountFile) -> Accounts:
        """The whole file."""
        for index, account in enumerate(file.accounts):
            self._account(account, ("Accounts", index))
        return Accounts(
            frozenset(self._ids), self._providers, self._roles, self._users, self._keys, self._managed, self._devices
        )

    def _account(self, account: shape.Account, path: Path) -> None:
        if not _ACCOUNT_ID.fullmatch(account.account_id):
            raise self._error((*path, "AccountId"), f"{account.account_id!r} has to be 12 digits in quotes")
        self._once(self._ids, account.account_id, account.account_id, (*path, "AccountId"))
        if account.is_truncated:
            raise self._error((*path, "IsTruncated"), "the export is not whole; get the following pages too")
        entry = _AccountReader(self._document, account, path)
        for provider, place in entry.providers():
            self._once(self._providers, (account.account_id, provider.url), provider, place)
        for role, place in entry.roles():
            self._once(self._roles, role.arn, role, place)
        for user, place in entry.users():
            self._once(self._users, user.arn, user, place)
        for key, place in entry.access_keys():
            self._once(self._keys, key.access_key_id, key, place)
        for device, place in entry.devices():
            self._once(self._devices, device.serial_number, device, place)
        self._managed.update({(account.account_id, arn): policy for arn, policy in entry.managed.items()})

    def _once(self, found: dict[Any, Any], key: object, value: object, path: Path) -> None:
        if key in found:
            raise self._error(path, f"{key!r} is there twice")
        found[key] = value

    def _error(self, path: Path, problem: str) -> AccountFileError:
        return self._document.error(path, problem)


class _AccountReader:
    """One account's entries, each with its path."""

    def __init__(self, document: Document, account: shape.Account, path: Path) -> None:
        self._document = document
        self._account = account
        self._path = path
        self._arn = f"arn:{account.partition}:iam::{account.account_id}"
        self.managed = dict(self._managed_policies())
        self._group_policies = {
            group.group_name: self._policies(f"group {group.group_name}", group, group.group_policy_list, place)
            for group, place in self._each("GroupDetailList")
        }
        self._users: dict[str, User] = {}

    def providers(self) -> Iterator[tuple[Provider, Path]]:
        """Each OIDC provider."""
        entries = list(self._each("OpenIDConnectProviders"))
        if len(entries) > _PROVIDERS:
            raise self._error(entries[_PROVIDERS][1], f"{len(entries)} providers; IAM allows {_PROVIDERS} an account")
        for entry, path in entries:
            if not 1 <= len(entry.client_id_list) <= _CLIENT_IDS:
                raise self._error((*path, "ClientIDList"), f"1 to {_CLIENT_IDS} client ids are needed")
            url = entry.url if "://" in entry.url else f"https://{entry.url}"  # IAM prints it without the scheme
            if problem := issuer_problem(url, local=entry.local is not None):
                raise self._error((*path, "Url"), f"{entry.url!r}: {problem}")
            local = None if entry.local is None else Local(**msgspec.structs.asdict(entry.local))
            arn = f"{self._arn}:oidc-provider/{url.partition('://')[2]}"
            yield (
                Provider(
                    self._given(entry.open_id_connect_provider_arn, arn, path),
                    url,
                    frozenset(entry.client_id_list),
                    local,
                ),
                path,
            )

    def roles(self) -> Iterator[tuple[Role, Path]]:
        """Each role, its policies understood."""
        for entry, path in self._each("RoleDetailList"):
            arn = self._named("role", entry, path)
            if entry.max_session_duration not in _DURATIONS:
                raise self._error((*path, "MaxSessionDuration"), "has to be from 3600 to 43200 seconds")
            title = f"role {entry.role_name}"
            trust = self._policy(
                f"{title} trust", entry.assume_role_policy_document, Kind.TRUST, (*path, "AssumeRolePolicyDocument")
            )
            yield (
                Role(
                    account=self._account.account_id,
                    name=entry.role_name,
                    arn=arn,
                    unique_id=entry.role_id or identifiers.derived(identifiers.ROLE, self._account.account_id, arn),
                    max_session_duration=entry.max_session_duration,
                    trust=trust,
                    permissions=Permissions(
                        identity=self._policies(title, entry, entry.role_policy_list, path, "RolePolicyList"),
                        boundary=self._boundary(entry.permissions_boundary, path),
                    ),
                    tags={tag.key: tag.value for tag in entry.tags},
                ),
                path,
            )

    def users(self) -> Iterator[tuple[User, Path]]:
        """Each user, with the policies of its groups."""
        for entry, path in self._each("UserDetailList"):
            arn = self._named("user", entry, path)
            policies = self._policies(f"user {entry.user_name}", entry, entry.user_policy_list, path, "UserPolicyList")
            for index, group in enumerate(entry.group_list):
                if group not in self._group_policies:
                    raise self._error((*path, "GroupList", index), f"no group {group!r} in GroupDetailList")
                policies += self._group_policies[group]
            user = User(
                account=self._account.account_id,
                name=entry.user_name,
                arn=arn,
                unique_id=entry.user_id or identifiers.derived(identifiers.USER, self._account.account_id, arn),
                permissions=Permissions(identity=policies, boundary=self._boundary(entry.permissions_boundary, path)),
                tags={tag.key: tag.value for tag in entry.tags},
            )
            self._users[user.name] = user
            yield user, path

    def access_keys(self) -> Iterator[tuple[AccessKey, Path]]:
        """Each active access key; call it after `users`."""
        for entry, path in self._each("AccessKeys"):
            owner = self._owner(entry.user_name, (*path, "UserName"))
            if not _KEY_ID.fullmatch(entry.access_key_id) or entry.access_key_id.startswith(identifiers.SESSION_KEY):
                raise self._error(
                    (*path, "AccessKeyId"), "has to be 16 to 128 letters and digits, not beginning with ASIA"
                )
            if entry.status not in {"Active", "Inactive"}:
                raise self._error((*path, "Status"), f"{entry.status!r}: has to be Active or Inactive")
            if not entry.secret_access_key:
                raise self._error((*path, "SecretAccessKey"), "is empty")
            if entry.status == "Active":
                yield AccessKey(entry.access_key_id, entry.secret_access_key, owner), path

    def devices(self) -> Iterator[tuple[Device, Path]]:
        """Each virtual MFA device; call it after `users`."""
        for entry, path in self._each("VirtualMFADevices"):
            owner = self._owner(entry.user.user_name, (*path, "User", "UserName"))
            try:
                seed = mfa.seed(entry.base32_string_seed)
            except ValueError as problem:
                raise self._error((*path, "Base32StringSeed"), "has to be base32 of 16 bytes or more") from problem
            yield Device(entry.serial_number, owner.arn, seed), path

    def _owner(self, name: str, path: Path) -> User | Root:
        if name == ROOT:
            return Root(self._account.account_id, f"{self._arn}:root")
        if name not in self._users:
            raise self._error(path, f"no user {name!r} in UserDetailList")
        return self._users[name]

    def _each(self, member: str) -> Iterator[tuple[Any, Path]]:
        for index, entry in enumerate(getattr(self._account, _MEMBERS[member])):
            yield entry, (*self._path, member, index)

    def _named(self, kind: str, entry: shape.RoleDetail | shape.UserDetail, path: Path) -> str:
        """The ARN of a role or user whose name and path hold."""
        name = entry.role_name if isinstance(entry, shape.RoleDetail) else entry.user_name
        member = f"{kind.capitalize()}Name"
        if not _NAME.fullmatch(name):
            raise self._error((*path, member), f"{name!r}: a name has 1 to 64 letters, digits or any of +=,.@_-")
        if not _PATH.fullmatch(entry.path):
            raise self._error((*path, "Path"), f"{entry.path!r}: a path begins and ends with /")
        return self._given(entry.arn, f"{self._arn}:{kind}{entry.path}{name}", path)

    def _given(self, given: str, ours: str, path: Path) -> str:
        if given not in {"", ours}:
            raise self._error((*path, "Arn"), f"{given!r} does not belong to this entry, whose ARN is {ours!r}")
        return ours

    def _policies(
        self,
        title: str,
        entry: shape.RoleDetail | shape.UserDetail | shape.GroupDetail,
        inline: tuple[shape.InlinePolicy, ...],
        path: Path,
        member: str = "GroupPolicyList",
    ) -> tuple[Policy, ...]:
        own = tuple(
            self._policy(
                f"{title} policy {each.policy_name}",
                each.policy_document,
                Kind.IDENTITY,
                (*path, member, index, "PolicyDocument"),
            )
            for index, each in enumerate(inline)
        )
        return own + tuple(
            self._attached(each.policy_arn, (*path, "AttachedManagedPolicies", index, "PolicyArn"))
            for index, each in enumerate(entry.attached_managed_policies)
        )

    def _boundary(self, boundary: shape.Boundary | None, path: Path) -> Policy | None:
        if boundary is None:
            return None
        return self._attached(
            boundary.permissions_boundary_arn, (*path, "PermissionsBoundary", "PermissionsBoundaryArn")
        )

    def _attached(self, arn: str, path: Path) -> Policy:
        policy = self.managed.get(arn) or managed_by_aws(arn)
        if policy is None:
            raise self._error(
                path,
                f"no policy {arn!r} in this account's Policies, nor among AWS's own that are known here; "
                "put it there as get-account-authorization-details prints it",
            )
        return policy

    def _managed_policies(self) -> Iterator[tuple[str, Policy]]:
        for entry, path in self._each("Policies"):
            ours = f"{self._arn}:policy{entry.path}{entry.policy_name}"
            aws_own = entry.arn.startswith(f"arn:{self._account.partition}:iam::aws:policy/")
            arn = entry.arn if aws_own else self._given(entry.arn, ours, path)
            defaults = [index for index, version in enumerate(entry.policy_version_list) if version.is_default_version]
            if len(defaults) != 1:
                raise self._error((*path, "PolicyVersionList"), "exactly one version has to be the default one")
            document = entry.policy_version_list[defaults[0]].document
            yield (
                arn,
                self._policy(
                    f"policy {entry.policy_name}",
                    document,
                    Kind.IDENTITY,
                    (*path, "PolicyVersionList", defaults[0], "Document"),
                ),
            )

    def _policy(self, title: str, document: shape.PolicyDocument, kind: Kind, path: Path) -> Policy:
        try:
            return parse(document, kind, title)
        except PolicyError as problem:
            inner = problem.place.removeprefix(title).lstrip(": ")
            raise self._error((*path, *parsed(inner)), f"{problem.problem}; {problem.cure}") from problem

    def _error(self, path: Path, problem: str) -> AccountFileError:
        return self._document.error(path, problem)


_MEMBERS: Final = {
    "OpenIDConnectProviders": "open_id_connect_providers",
    "RoleDetailList": "role_detail_list",
    "UserDetailList": "user_detail_list",
    "GroupDetailList": "group_detail_list",
    "Policies": "policies",
    "AccessKeys": "access_keys",
    "VirtualMFADevices": "virtual_mfa_devices",
}


def issuer_problem(url: str, *, local: bool) -> str:
    """Why a URL cannot be a provider's, or nothing; with `local` more is allowed than AWS allows."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        return str(problem)
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        return "has to begin with https://"
    if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc or url.endswith(("?", "#")):
        return "has to be https://HOST/PATH without query, fragment or credentials"
    if len(url) > _URL_LIMIT:
        return f"has to be at most {_URL_LIMIT} characters"
    if not local and (port is not None or not public(parts.hostname)):
        return "a port or a private address is allowed only with a Local block, since AWS could not reach it"
    return ""


def public(host: str) -> bool:
    """Whether a host is a name, or an address that everybody can reach."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    # An IPv6 address may stand for an IPv4 one behind a gateway: NAT64, 6to4, Teredo, and the old compatible form.
    embedded = isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _EMBEDDING)
    return address.is_global and not address.is_multicast and not embedded
