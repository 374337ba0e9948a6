"""Exports of real accounts, turned into an account file.

Read are the JSON that `aws iam get-account-authorization-details` and `aws iam get-open-id-connect-provider` print, and
Terraform state (version 4). Several files become one; entries of one account are put together. What an export lacks, or
what has no place in the file, is said in a note and never made up.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sts.documents import AccountFileError

LISTS: Final = ("RoleDetailList", "UserDetailList", "GroupDetailList", "Policies")
_ARN_ACCOUNT: Final = re.compile(r"arn:[\w-]+:(?:iam|sts)::(\d{12}):")

Entry = dict[str, Any]


@dataclass
class Import:
    """An account file as it comes about.

    Attributes:
        accounts: account id -> account.
        notes: what the reader ought to know.
    """

    accounts: dict[str, Entry] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, account: str, member: str, entry: Entry) -> None:
        """Put an entry into its account."""
        self.accounts.setdefault(account, {"AccountId": account}).setdefault(member, []).append(entry)

    def file(self) -> Entry:
        """The account file."""
        return {"Accounts": [self.accounts[account] for account in sorted(self.accounts)]}


def imported(exports: Iterable[tuple[str, bytes]], account: str = "") -> Import:
    """The account file of several exports, each with its name; `account` is for those that do not say whose they are.

    Raises:
        AccountFileError: an export is not one of those that are known, or does not say whose it is.
    """
    found = Import()
    providers: list[tuple[str, Entry]] = []
    for name, content in exports:
        document = _read(name, content)
        if "resources" in document and "terraform_version" in document:
            _terraform(document, found, name)
        elif any(member in document for member in LISTS):
            _details(document, found, name)
        elif "Url" in document and "ClientIDList" in document:
            providers.append((name, {key: value for key, value in document.items() if key in _PROVIDER}))
        else:
            raise AccountFileError(
                f"{name}: neither get-account-authorization-details nor get-open-id-connect-provider nor Terraform "
                "state"
            )
    for name, provider in providers:
        # This export does not say its account.
        owner = account or (next(iter(found.accounts)) if len(found.accounts) == 1 else "")
        if not owner:
            raise AccountFileError(f"{name}: whose provider is it? Say it with --account-id")
        found.add(owner, "OpenIDConnectProviders", provider)
    if any("RoleDetailList" in each for each in found.accounts.values()):
        found.notes.append("secrets of access keys are in no AWS export: add AccessKeys for users that shall sign")
    return found


_PROVIDER: Final = frozenset({"Url", "ClientIDList", "ThumbprintList", "Tags"})
# Dates and counts that decide nothing, and what is about EC2.
_DROPPED: Final = frozenset({
    "CreateDate", "UpdateDate", "RoleLastUsed", "InstanceProfileList", "AttachmentCount",
    "PermissionsBoundaryUsageCount", "IsAttachable", "PasswordLastUsed",
})  # fmt: skip


def _details(document: Entry, found: Import, name: str) -> None:
    """`get-account-authorization-details`: its lists as they are, dates and counts aside."""
    if document.get("IsTruncated"):
        raise AccountFileError(
            f"{name}: the export is not whole; leave out --max-items, or get the following pages too"
        )
    owner = _owner((entry.get("Arn", "") for member in LISTS[:3] for entry in document.get(member) or []), name)
    for member in LISTS:
        for entry in document.get(member) or []:
            kept = {key: value for key, value in entry.items() if key not in _DROPPED}
            if member == "Policies":
                kept["PolicyVersionList"] = [
                    {key: value for key, value in version.items() if key not in _DROPPED}
                    for version in entry["PolicyVersionList"]
                    if version["IsDefaultVersion"]
                ]
            found.add(owner, member, kept)
    if any("MaxSessionDuration" not in role for role in document.get("RoleDetailList") or []):
        found.notes.append(f"{name}: this export has no MaxSessionDuration; roles without one get 3600 seconds")


def _terraform(document: Entry, found: Import, name: str) -> None:
    """Terraform state: the managed resources of IAM, by type."""
    resources = [
        (each.get("type", ""), instance.get("attributes") or {})
        for each in document["resources"]
        for instance in each.get("instances", [])
        if each.get("mode") == "managed" or each.get("type") == "aws_iam_policy"
    ]
    reader = _State(found, _owner((str(given.get("arn", "")) for _, given in resources), name))
    for types in _TERRAFORM:  # what is attached comes after what it is attached to
        for kind, attributes in resources:
            if kind in types:
                types[kind](reader, attributes)
    unread = sorted({kind for kind, _ in resources if kind.startswith("aws_iam_")} - {k for t in _TERRAFORM for k in t})
    if unread:
        found.notes.append(f"{name}: not read, since the account file has no place for them: {', '.join(unread)}")


class _State:
    """Terraform's resources, one method a type."""

    def __init__(self, found: Import, account: str) -> None:
        self._found = found
        self._account = account
        self._named: dict[tuple[str, str], Entry] = {}

    def _add(self, member: str, entry: Entry, name: str = "") -> None:
        self._found.add(self._account, member, entry)
        self._named[(member, name)] = entry

    def _holder(self, given: Mapping[str, Any]) -> tuple[Entry, str]:
        """The entry that a policy is attached to, and the member for its inline policies."""
        for key, (member, inline) in _HOLDERS.items():
            if given.get(key):
                entry = self._named.get((member, given[key]))
                if entry is None:
                    raise AccountFileError(
                        f"{key} {given[key]!r} is not in this state; import the state that has it too"
                    )
                return entry, inline
        raise AccountFileError("a policy in the state is attached to nothing")

    def role(self, given: Mapping[str, Any]) -> None:
        """aws_iam_role, with its inline and managed policies."""
        entry = {
            "RoleName": given["name"], "Path": given.get("path") or "/", "RoleId": given.get("unique_id") or "",
            "MaxSessionDuration": given.get("max_session_duration") or 3600,
            "AssumeRolePolicyDocument": _json(given["assume_role_policy"]), **_common(given),
        }  # fmt: skip
        inline = [each for each in given.get("inline_policy") or [] if each.get("name")]
        entry["RolePolicyList"] = [
            {"PolicyName": each["name"], "PolicyDocument": _json(each["policy"])} for each in inline
        ]
        entry["AttachedManagedPolicies"] = []
        self._add("RoleDetailList", entry, given["name"])

    def user(self, given: Mapping[str, Any]) -> None:
        """aws_iam_user."""
        entry = {"UserName": given["name"], "Path": given.get("path") or "/", "UserId": given.get("unique_id") or ""}
        self._add("UserDetailList", {**entry, "GroupList": [], **_common(given)}, given["name"])

    def group(self, given: Mapping[str, Any]) -> None:
        """aws_iam_group."""
        self._add("GroupDetailList", {"GroupName": given["name"], "Path": given.get("path") or "/"}, given["name"])

    def policy(self, given: Mapping[str, Any]) -> None:
        """aws_iam_policy, managed or looked up."""
        version = {"VersionId": "v1", "IsDefaultVersion": True, "Document": _json(given["policy"])}
        entry = {"PolicyName": given["name"], "Path": given.get("path") or "/", "Arn": given["arn"]}
        self._add("Policies", {**entry, "PolicyVersionList": [version]}, given["arn"])

    def inline(self, given: Mapping[str, Any]) -> None:
        """aws_iam_role_policy and the same of users and groups."""
        entry, member = self._holder(given)
        kept = {"PolicyName": given["name"], "PolicyDocument": _json(given["policy"])}
        if kept not in entry.setdefault(member, []):  # the role lists it too
            entry[member].append(kept)

    def attached(self, given: Mapping[str, Any]) -> None:
        """aws_iam_role_policy_attachment and the same of users and groups."""
        entry, _ = self._holder(given)
        arn = given["policy_arn"]
        entry.setdefault("AttachedManagedPolicies", []).append({"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn})

    def membership(self, given: Mapping[str, Any]) -> None:
        """aws_iam_user_group_membership (a user, its groups) and aws_iam_group_membership (a group, its users)."""
        users = given.get("users") or [given.get("user")]
        for user in users:
            entry = self._named.get(("UserDetailList", str(user)))
            if entry is None:
                raise AccountFileError(f"user {user!r} is not in this state; import the state that has it too")
            entry["GroupList"] += given.get("groups") or [given["group"]]

    def provider(self, given: Mapping[str, Any]) -> None:
        """aws_iam_openid_connect_provider."""
        entry = {"Url": given["url"], "ClientIDList": given["client_id_list"]}
        self._add("OpenIDConnectProviders", {**entry, "ThumbprintList": given.get("thumbprint_list") or []})

    def access_key(self, given: Mapping[str, Any]) -> None:
        """aws_iam_access_key, whose secret the state has unless it is encrypted."""
        if not given.get("secret"):
            self._found.notes.append(
                f"access key {given.get('id')} of {given.get('user')}: the state has no secret of it"
            )
            return
        entry = {"UserName": given["user"], "AccessKeyId": given["id"], "SecretAccessKey": given["secret"]}
        self._add("AccessKeys", {**entry, "Status": given.get("status") or "Active"})


_HOLDERS: Final = {
    "role": ("RoleDetailList", "RolePolicyList"),
    "user": ("UserDetailList", "UserPolicyList"),
    "group": ("GroupDetailList", "GroupPolicyList"),
}
_Read = Callable[[_State, Mapping[str, Any]], None]
_TERRAFORM: Final[tuple[dict[str, _Read], ...]] = (
    {
        "aws_iam_role": _State.role,
        "aws_iam_user": _State.user,
        "aws_iam_group": _State.group,
        "aws_iam_policy": _State.policy,
        "aws_iam_openid_connect_provider": _State.provider,
        "aws_iam_access_key": _State.access_key,
    },
    {
        **{f"aws_iam_{holder}_policy": _State.inline for holder in _HOLDERS},
        **{f"aws_iam_{holder}_policy_attachment": _State.attached for holder in _HOLDERS},
        "aws_iam_user_group_membership": _State.membership,
        "aws_iam_group_membership": _State.membership,
    },
)


def _common(given: Mapping[str, Any]) -> Entry:
    found: Entry = {}
    if tags := given.get("tags_all") or given.get("tags"):
        found["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if boundary := given.get("permissions_boundary"):
        found["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    return found


def _json(text: str) -> Any:  # noqa: ANN401 -- whatever the document says; it is judged when the file is loaded
    return json.loads(text)


def _owner(arns: Iterable[str], name: str) -> str:
    """The account whose ARNs these are.

    Raises:
        AccountFileError: there is none, or more than one.
    """
    accounts = sorted({matched[1] for arn in arns if (matched := _ARN_ACCOUNT.match(arn))})
    if len(accounts) != 1:
        raise AccountFileError(f"{name}: its ARNs are of {', '.join(accounts) or 'no account'}; it has to be one")
    return accounts[0]


def _read(name: str, content: bytes) -> Entry:
    try:
        document = json.loads(content)
    except ValueError as problem:
        raise AccountFileError(f"{name}: no JSON: {problem}") from problem
    if not isinstance(document, dict):
        raise AccountFileError(f"{name}: no JSON object")
    return document
