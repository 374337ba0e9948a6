"""Exports of real accounts, turned into an account file.

Read are the JSON that `aws iam get-account-authorization-details` and `aws iam get-open-id-connect-provider` print, and
Terraform state (see `sts.terraform`). Several files become one; entries of one account are put together, pages of one
export too. What an export lacks, or what has no place in the file, is said in a note and never made up.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from sts import accountfile as shape
from sts import terraform
from sts.documents import AccountFileError
from sts.exports import Entry, Import, Owner, entries, owner, read


def imported(exports: Iterable[tuple[str, bytes]], account: str = "") -> Import:
    """The account file of several exports, each with its name; `account` is for those that do not say whose they are.

    Raises:
        AccountFileError: an export is not one of those that are known, or does not say whose it is.
    """
    found, pages = Import(), _Pages()
    providers: list[tuple[str, Entry]] = []
    states: list[tuple[str, Entry]] = []
    for name, content in exports:
        document = read(name, content)
        if terraform.is_state(document):
            states.append((name, document))
        elif any(member in document for member in LISTS):
            _details(document, found, name, pages)
        elif "Url" in document and "ClientIDList" in document:
            providers.append((name, {key: value for key, value in document.items() if key in _PROVIDER}))
        else:
            raise AccountFileError(
                f"{name}: neither get-account-authorization-details nor get-open-id-connect-provider nor Terraform "
                "state"
            )
    pages.check()
    terraform.read_states(states, found)
    for name, provider in providers:
        found.add(_owner_of_provider(name, provider, found, account), "OpenIDConnectProviders", provider)
    if any("UserDetailList" in each and "AccessKeys" not in each for each in found.accounts.values()):
        found.note("secrets of access keys are in no AWS export: add AccessKeys for users that shall sign")
    return found


LISTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "RoleDetailList": shape.RoleDetail,
    "UserDetailList": shape.UserDetail,
    "GroupDetailList": shape.GroupDetail,
    "Policies": shape.ManagedPolicy,
}
_PROVIDER: Final = frozenset({"Url", "ClientIDList", "ThumbprintList", "Tags"})
# Dates and counts that decide nothing, and what is about EC2.
_DROPPED: Final = frozenset({
    "CreateDate", "UpdateDate", "RoleLastUsed", "InstanceProfileList", "AttachmentCount",
    "PermissionsBoundaryUsageCount", "IsAttachable", "PasswordLastUsed",
})  # fmt: skip
_DOCUMENTS: Final = frozenset({"AssumeRolePolicyDocument", "PolicyDocument", "Document"})


class _Pages:
    """Which exports say that there is more, and of which account the rest came."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}
        self._ended: set[str] = set()

    def add(self, document: Entry, account: str, name: str) -> None:
        """A page: the API says IsTruncated, the AWS CLI (after --max-items) NextToken."""
        if document.get("IsTruncated") or document.get("NextToken"):
            self._open[account] = name
        else:
            self._ended.add(account)

    def check(self) -> None:
        """Raise where the last page of an export is missing."""
        for account, name in self._open.items():
            if account not in self._ended:
                raise AccountFileError(
                    f"{name}: the export is not whole; leave out --max-items, or give the following pages too"
                )


def _details(document: Entry, found: Import, name: str, pages: _Pages) -> None:
    """`get-account-authorization-details`: its lists as they are, dates and counts aside."""
    lists = {member: list(entries(document, member, name)) for member in LISTS}
    whose = one_owner((entry.get("Arn") for each in lists.values() for entry in each), name)
    pages.add(document, whose.account, name)
    unknown: set[str] = set()
    for member, listed in lists.items():
        known = {each.encode_name for each in msgspec.structs.fields(LISTS[member])} - _DROPPED
        for entry in listed:
            kept = {key: _decoded(key, value) for key, value in entry.items() if key in known}
            unknown |= entry.keys() - known - _DROPPED
            if member == "Policies":
                kept["PolicyVersionList"] = [
                    {key: value for key, value in version.items() if key not in _DROPPED}
                    for version in entries(kept, "PolicyVersionList", f"{name}: policy {entry.get('PolicyName')}")
                    if version.get("IsDefaultVersion", True)
                ]
            found.add(whose, member, kept)
    if unknown:
        found.note(f"{name}: left out, since the account file has no place for them: {', '.join(sorted(unknown))}")
    if any("MaxSessionDuration" not in role for role in lists["RoleDetailList"]):
        found.note(f"{name}: this export has no MaxSessionDuration; roles without one get 3600 seconds")


def _decoded(key: str, value: Any) -> Any:  # noqa: ANN401 -- JSON
    """The value, policy documents in it as objects: the API has them URL-encoded, and nobody can read that."""
    if key in _DOCUMENTS and isinstance(value, str):
        try:
            return json.loads(unquote(value) if value.lstrip().startswith("%") else value)
        except (ValueError, RecursionError):
            return value  # said when the file is loaded
    if isinstance(value, list):
        return [_decoded(key, each) for each in value]
    if isinstance(value, dict) and key not in _DOCUMENTS:
        return {inner: _decoded(inner, each) for inner, each in value.items()}
    return value


def one_owner(arns: Iterable[object], name: str) -> Owner:
    """The account whose ARNs these are.

    Raises:
        AccountFileError: there is none, or more than one.
    """
    owners = {found for arn in arns if (found := owner(arn))}
    if len(owners) != 1:
        named = ", ".join(sorted(each.account for each in owners)) or "no account"
        raise AccountFileError(f"{name}: its ARNs are of {named}; it has to be one")
    return owners.pop()


def _owner_of_provider(name: str, provider: Entry, found: Import, account: str) -> Owner:
    """Whose a provider is, which its export does not say: as told, or the only account, or the one that trusts it."""
    issuer = re.sub("^https?://", "", str(provider["Url"]))
    known = [account] if account else list(found.accounts)
    if len(known) > 1:
        known = [each for each in known if f":iam::{each}:oidc-provider/{issuer}" in json.dumps(found.accounts[each])]
    if len(known) != 1:
        raise AccountFileError(f"{name}: whose provider is it? Say it with --account-id")
    return Owner(known[0], found.accounts.get(known[0], {}).get("Partition", "aws"))
