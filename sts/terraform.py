"""IAM out of Terraform's (and OpenTofu's) state: version 4, and what `terraform show -json` prints.

A state may have several accounts, one for each provider configuration; each resource's ARN says whose it is. What has
no ARN (an attachment, an access key) belongs to the role, user or group that it names, which another state may have.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sts.documents import AccountFileError
from sts.exports import Entry, Import, Owner, entries, owner


@dataclass(frozen=True, slots=True)
class Resource:
    """One instance of a resource.

    Attributes:
        provider: The provider configuration that made it; those of one are of one account.
        place: What to call it in a message.
        managed: Whether the state made it, or only looked it up.
    """

    type: str
    provider: str
    place: str
    managed: bool
    given: Mapping[str, Any]

    def text(self, attribute: str) -> str:
        """An attribute that has to be there."""
        value = self.given.get(attribute)
        if not isinstance(value, str) or not value:
            raise AccountFileError(f"{self.place} has no {attribute}")
        return value

    def policy(self, attribute: str) -> Any:  # noqa: ANN401 -- whatever the document says; judged when it is loaded
        """A policy document, which the state has as text."""
        try:
            return json.loads(self.text(attribute))
        except (ValueError, RecursionError) as problem:
            raise AccountFileError(f"{self.place}: {attribute} is no JSON: {problem}") from problem

    def names(self, attribute: str) -> list[str]:
        """A list of names, possibly empty."""
        value = self.given.get(attribute) or []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise AccountFileError(f"{self.place}: {attribute} is no list of names")
        return value


def is_state(document: Entry) -> bool:
    """Whether an export is Terraform's."""
    return "terraform_version" in document and bool({"resources", "modules", "values"} & document.keys())


def read_states(states: Iterable[tuple[str, Entry]], found: Import) -> None:
    """Put what states have of IAM into the account file; what is attached may be in another state than its holder.

    Raises:
        AccountFileError: a state is of another version, or a resource is not as Terraform writes it.
    """
    resources = [resource for name, document in states for resource in _resources(name, document)]
    reader = _Reader(found, resources)
    for types in _TYPES:  # what is attached comes after what it is attached to
        for resource in sorted(resources, key=lambda each: not each.managed):
            if resource.type in types:
                types[resource.type](reader, resource)
    known = {each for types in _TYPES for each in types} | _SAYS_NOTHING
    if unread := sorted({each.type for each in resources if each.type.startswith("aws_iam_")} - known):
        found.note(f"not read, since the account file has no place for them: {', '.join(unread)}")


def _resources(name: str, document: Entry) -> Iterator[Resource]:
    if "modules" in document or document.get("version", 4) != 4:  # noqa: PLR2004 -- the format's version
        raise AccountFileError(
            f"{name}: a state of version {document.get('version')}; Terraform 0.12 or newer writes 4"
        )
    if "values" in document:
        root = (document["values"] or {}).get("root_module") if isinstance(document["values"], dict | None) else None
        yield from _shown(name, root if isinstance(root, dict) else {})
        return
    for each in entries(document, "resources", name):
        for instance in entries(each, "instances", f"{name}: {each.get('type')}.{each.get('name')}"):
            if "deposed" not in instance:  # waits for its destruction, beside what took its place
                yield _resource(name, each, each.get("provider"), instance.get("attributes"))


def _shown(name: str, module: Entry) -> Iterator[Resource]:
    for each in entries(module, "resources", name):
        yield _resource(name, each, each.get("provider_name"), each.get("values"))
    for child in entries(module, "child_modules", name):
        yield from _shown(name, child)


def _resource(name: str, each: Entry, provider: object, given: object) -> Resource:
    place = ".".join(str(part) for part in (each.get("module"), each.get("type"), each.get("name")) if part)
    return Resource(
        str(each.get("type")),
        str(provider),
        f"{name}: {place}",
        each.get("mode") == "managed",
        given if isinstance(given, dict) else {},
    )


class _Reader:
    """Terraform's resources, one method a type."""

    def __init__(self, found: Import, resources: Iterable[Resource]) -> None:
        self._found = found
        self._named: dict[tuple[str, str], list[tuple[Resource, Owner, Entry]]] = {}
        self._owners: dict[str, set[Owner]] = {}
        for resource in resources:
            if resource.managed and (whose := owner(resource.given.get("arn"))):
                self._owners.setdefault(resource.provider, set()).add(whose)

    def _add(self, resource: Resource, member: str, name: str, entry: Entry) -> None:
        whose = owner(resource.given.get("arn")) or self._owner_by_provider(resource)
        there = self._named.setdefault((member, name), [])
        if not resource.managed and any(other == whose for _, other, _ in there):
            return  # looked up here, made elsewhere
        there.append((resource, whose, entry))
        self._found.add(whose, member, entry)

    def _owner_by_provider(self, resource: Resource) -> Owner:
        """Whose a thing without an account in its ARN is: the one account of its provider configuration, or of all."""
        all_owners = {each for owners in self._owners.values() for each in owners}
        for owners in (self._owners.get(resource.provider, set()), all_owners):
            if len(owners) == 1:
                return next(iter(owners))
        raise AccountFileError(
            f"{resource.place}: whose is it? No resource of {resource.provider} has an account's ARN"
        )

    def _holder(self, resource: Resource, kind: str, name: str) -> tuple[Owner, Entry] | None:
        """The role, user or group of this name; None, with a note, where no state has it."""
        there = self._named.get((_HOLDERS[kind][0], name), [])
        near = [each for each in there if each[0].provider == resource.provider] or there
        if len(near) == 1:
            return near[0][1], near[0][2]
        what = "is in no state given here" if not near else "is in several accounts"
        self._found.note(f"{resource.place} is left out: {kind} {name!r} {what}")
        return None

    def role(self, resource: Resource) -> None:
        """aws_iam_role, with its inline and managed policies."""
        given, name = resource.given, resource.text("name")
        entry = {
            "RoleName": name, "Path": given.get("path") or "/", "RoleId": given.get("unique_id") or "",
            "MaxSessionDuration": given.get("max_session_duration") or 3600,
            "AssumeRolePolicyDocument": resource.policy("assume_role_policy"),
            "RolePolicyList": [], "AttachedManagedPolicies": [], **_common(resource),
        }  # fmt: skip
        for each in entries(dict(given), "inline_policy", resource.place):
            if each.get("name"):
                inner = Resource(resource.type, resource.provider, resource.place, resource.managed, given=each)
                _put(entry, "RolePolicyList", each["name"], inner.policy("policy"))
        for arn in resource.names("managed_policy_arns"):
            _attach(entry, arn)
        self._add(resource, "RoleDetailList", name, entry)
        if not resource.managed:
            self._found.note(f"role {name!r} is only looked up in {resource.place}: its own policies are not there")

    def user(self, resource: Resource) -> None:
        """aws_iam_user."""
        given, name = resource.given, resource.text("name")
        entry = {"UserName": name, "Path": given.get("path") or "/", "UserId": given.get("unique_id") or ""}
        self._add(resource, "UserDetailList", name, {**entry, "GroupList": [], **_common(resource)})

    def group(self, resource: Resource) -> None:
        """aws_iam_group."""
        name = resource.text("name")
        entry = {"GroupName": name, "Path": resource.given.get("path") or "/"}
        self._add(resource, "GroupDetailList", name, entry)

    def managed_policy(self, resource: Resource) -> None:
        """aws_iam_policy, made or looked up."""
        arn = resource.text("arn")
        version = {"VersionId": "v1", "IsDefaultVersion": True, "Document": resource.policy("policy")}
        entry = {"PolicyName": resource.text("name"), "Path": resource.given.get("path") or "/", "Arn": arn}
        self._add(resource, "Policies", arn, {**entry, "PolicyVersionList": [version]})

    def inline(self, resource: Resource) -> None:
        """aws_iam_role_policy and the same of users and groups."""
        kind = resource.type.split("_")[2]
        if held := self._holder(resource, kind, resource.text(kind)):
            _put(held[1], _HOLDERS[kind][1], resource.text("name"), resource.policy("policy"))

    def attached(self, resource: Resource) -> None:
        """aws_iam_role_policy_attachment and its like, and aws_iam_policy_attachment, which names many."""
        for kind in _HOLDERS:
            for name in [*resource.names(f"{kind}s"), *filter(None, [resource.given.get(kind)])]:
                if held := self._holder(resource, kind, str(name)):
                    _attach(held[1], resource.text("policy_arn"))

    def membership(self, resource: Resource) -> None:
        """aws_iam_user_group_membership (a user, its groups) and aws_iam_group_membership (a group, its users)."""
        groups = resource.names("groups") or [resource.text("group")]
        for user in resource.names("users") or [resource.text("user")]:
            if held := self._holder(resource, "user", user):
                held[1]["GroupList"] += [group for group in groups if group not in held[1]["GroupList"]]

    def provider(self, resource: Resource) -> None:
        """aws_iam_openid_connect_provider."""
        entry = {"Url": resource.text("url"), "ClientIDList": resource.names("client_id_list")}
        entry["ThumbprintList"] = resource.names("thumbprint_list")
        self._add(resource, "OpenIDConnectProviders", resource.text("url"), entry)

    def access_key(self, resource: Resource) -> None:
        """aws_iam_access_key, whose secret the state has unless it is encrypted."""
        user, given = resource.text("user"), resource.given
        if not given.get("secret"):
            self._found.note(f"access key {given.get('id')} of {user}: the state has no secret of it")
        elif held := self._holder(resource, "user", user):
            entry = {"UserName": user, "AccessKeyId": resource.text("id"), "SecretAccessKey": resource.text("secret")}
            self._found.add(held[0], "AccessKeys", {**entry, "Status": given.get("status") or "Active"})

    def device(self, resource: Resource) -> None:
        """aws_iam_virtual_mfa_device, whose seed the state has; a device of nobody is of no use."""
        user = resource.given.get("user_name")
        if user and (held := self._holder(resource, "user", str(user))):
            entry = {"SerialNumber": resource.text("arn"), "Base32StringSeed": resource.text("base_32_string_seed")}
            self._found.add(held[0], "VirtualMFADevices", {**entry, "User": {"UserName": user}})

    def alias(self, resource: Resource) -> None:
        """aws_iam_account_alias."""
        self._found.account(self._owner_by_provider(resource))["AccountAlias"] = resource.text("account_alias")


_HOLDERS: Final = {
    "role": ("RoleDetailList", "RolePolicyList"),
    "user": ("UserDetailList", "UserPolicyList"),
    "group": ("GroupDetailList", "GroupPolicyList"),
}
_Read = Callable[[_Reader, Resource], None]
_TYPES: Final[tuple[dict[str, _Read], ...]] = (
    {
        "aws_iam_role": _Reader.role,
        "aws_iam_user": _Reader.user,
        "aws_iam_group": _Reader.group,
        "aws_iam_policy": _Reader.managed_policy,
        "aws_iam_openid_connect_provider": _Reader.provider,
    },
    {
        **{f"aws_iam_{holder}_policy": _Reader.inline for holder in _HOLDERS},
        **{f"aws_iam_{holder}_policy_attachment": _Reader.attached for holder in _HOLDERS},
        "aws_iam_policy_attachment": _Reader.attached,
        "aws_iam_user_group_membership": _Reader.membership,
        "aws_iam_group_membership": _Reader.membership,
        "aws_iam_access_key": _Reader.access_key,
        "aws_iam_virtual_mfa_device": _Reader.device,
        "aws_iam_account_alias": _Reader.alias,
    },
)
# What repeats what other resources say, or makes a document that another holds.
_SAYS_NOTHING: Final = frozenset({
    "aws_iam_policy_document", "aws_iam_role_policies_exclusive", "aws_iam_role_policy_attachments_exclusive",
    "aws_iam_user_policies_exclusive", "aws_iam_user_policy_attachments_exclusive",
    "aws_iam_group_policies_exclusive", "aws_iam_group_policy_attachments_exclusive",
})  # fmt: skip


def _put(entry: Entry, member: str, name: str, document: Any) -> None:  # noqa: ANN401 -- JSON
    """An inline policy; the role lists what a resource of its own says as well, and that may be older."""
    kept = [each for each in entry.get(member, []) if each["PolicyName"] != name]
    entry[member] = [*kept, {"PolicyName": name, "PolicyDocument": document}]


def _attach(entry: Entry, arn: str) -> None:
    attached = {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}
    if attached not in entry.setdefault("AttachedManagedPolicies", []):
        entry["AttachedManagedPolicies"].append(attached)


def _common(resource: Resource) -> Entry:
    found: Entry = {}
    if tags := resource.given.get("tags_all") or resource.given.get("tags"):
        if not isinstance(tags, dict):
            raise AccountFileError(f"{resource.place}: its tags are no object")
        found["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if boundary := resource.given.get("permissions_boundary"):
        found["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    return found
