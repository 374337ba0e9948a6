"""Where policies stand in a file: the file is one, or an account file, or what IAM's API answers.

Nothing is judged here, and nothing has to be right: whoever asks what is wrong with a policy gets every policy that is
found, with its path in the file.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from sts.documents import Path
from sts.policy.lint import Names
from sts.policy.model import Kind
from sts.policy.webidentity import Providers


class Found(msgspec.Struct, frozen=True):
    """A policy document in a file.

    Attributes:
        name: What it is called in findings, such as `role s3-reader: trust`.
        path: Where it stands in the file.
        providers: The OIDC providers of its account; None where they are not known.
        names: The users and roles of its account; None where they are not known.
    """

    document: Any
    kind: Kind
    name: str
    path: Path = ()
    providers: Providers | None = None
    names: Names | None = None


def policies(value: Any, kind: Kind | None = None) -> Iterator[Found]:  # noqa: ANN401 -- any document
    """Each policy in a file's value; `kind` says what a document that stands alone is attached to."""
    if not isinstance(value, dict):
        yield Found(value, kind or Kind.IDENTITY, "policy")
    elif "Accounts" in value:
        for index, account in _each(value, "Accounts"):
            yield from _of_account(account, ("Accounts", index))
    elif any(member in value for member in _LISTS):
        yield from _of_account(value, ())
    elif isinstance(role := value.get("Role"), dict):  # get-role, create-role
        name = f"role {role.get('RoleName')}: trust"
        yield Found(role.get("AssumeRolePolicyDocument"), Kind.TRUST, name, ("Role", "AssumeRolePolicyDocument"))
    elif isinstance(version := value.get("PolicyVersion"), dict):  # get-policy-version
        path: Path = ("PolicyVersion", "Document")
        yield Found(version.get("Document"), kind or Kind.IDENTITY, f"version {version.get('VersionId')}", path)
    elif "PolicyDocument" in value:  # get-role-policy and the same of users and groups
        name = f"policy {value.get('PolicyName')}"
        yield Found(value["PolicyDocument"], kind or Kind.IDENTITY, name, ("PolicyDocument",))
    else:
        guessed = kind or _guess(value)
        yield Found(value, guessed, f"{guessed.value} policy")


def within(document: Any, place: str) -> Path:  # noqa: ANN401 -- any document
    """The path of `Statement[0].Condition.StringEquals.KEY`, as far as the document has it.

    Keys have dots, colons and brackets of their own, so they are read off the document.
    """
    path: list[str | int] = []
    while place:
        found = _step(document, place)
        if found is None:
            break
        taken, place, document = found
        path += taken
    return tuple(path)


def _step(document: Any, place: str) -> tuple[list[str | int], str, Any] | None:  # noqa: ANN401 -- any document
    """The first step of a place, the rest of it, and what stands there."""
    if index := re.match(r"\[(\d+)\]", place):
        number, rest = int(index[1]), place[index.end() :]
        if isinstance(document, list):
            return ([number], rest, document[number]) if number < len(document) else None
        return ([], rest, document) if number == 0 else None  # one thing that stands without its list
    rest = place.removeprefix(".")
    keys = document if isinstance(document, dict) else ()
    named = [key for key in keys if key and (rest == key or rest.startswith((f"{key}.", f"{key}[")))]
    if not named:
        return None
    key = max(named, key=len)
    return [key], rest[len(key) :], keys[key]


_LISTS = ("RoleDetailList", "UserDetailList", "GroupDetailList", "Policies")


def _guess(value: dict[str, Any]) -> Kind:
    statements = value.get("Statement")
    first = next(iter(statements if isinstance(statements, list) else [statements]), None)
    keys = set(first) if isinstance(first, dict) else set()
    if not keys & {"Principal", "NotPrincipal"}:
        return Kind.IDENTITY
    return Kind.RESOURCE if keys & {"Resource", "NotResource"} else Kind.TRUST


def _of_account(account: dict[str, Any], path: Path) -> Iterator[Found]:
    providers, names = _providers(account), _names(account)
    for found in _documents(account):
        yield Found(found.document, found.kind, found.name, (*path, *found.path), providers, names)


def _providers(account: dict[str, Any]) -> Providers | None:
    """Client ids by ARN; None for an export without them, which says nothing about providers."""
    if "AccountId" not in account:
        return None
    prefix = f"arn:{account.get('Partition', 'aws')}:iam::{account['AccountId']}:oidc-provider/"
    return {
        prefix + re.sub("^https?://", "", str(entry.get("Url"))): tuple(map(str, _listed(entry, "ClientIDList")))
        for _, entry in _each(account, "OpenIDConnectProviders")
    }


def _names(account: dict[str, Any]) -> Names | None:
    if "AccountId" not in account:
        return None
    base = f"arn:{account.get('Partition', 'aws')}:iam::{account['AccountId']}"
    arns = {
        f"{base}:{kind.lower()}{entry.get('Path', '/')}{entry.get(kind + 'Name')}"
        for kind in ("Role", "User")
        for _, entry in _each(account, f"{kind}DetailList")
    }
    return Names(str(account["AccountId"]), frozenset(arns))


def _documents(account: dict[str, Any]) -> Iterator[Found]:
    """Each policy of an account with its kind, name and path in it."""
    for index, role in _each(account, "RoleDetailList"):
        path: Path = ("RoleDetailList", index, "AssumeRolePolicyDocument")
        yield Found(role.get("AssumeRolePolicyDocument"), Kind.TRUST, f"role {role.get('RoleName')}: trust", path)
    for kind in ("Role", "User", "Group"):
        for index, entry in _each(account, f"{kind}DetailList"):
            for inner, policy in _each(entry, f"{kind}PolicyList"):
                path = (f"{kind}DetailList", index, f"{kind}PolicyList", inner, "PolicyDocument")
                name = f"{kind.lower()} {entry.get(kind + 'Name')}: {policy.get('PolicyName')}"
                yield Found(policy.get("PolicyDocument"), Kind.IDENTITY, name, path)
    for index, policy in _each(account, "Policies"):
        for inner, version in _each(policy, "PolicyVersionList"):
            if version.get("IsDefaultVersion", True):
                path = ("Policies", index, "PolicyVersionList", inner, "Document")
                yield Found(version.get("Document"), Kind.IDENTITY, f"policy {policy.get('PolicyName')}", path)
    for index, bucket in _each(account, "Buckets"):
        if bucket.get("Policy"):
            yield Found(bucket["Policy"], Kind.RESOURCE, f"bucket {bucket.get('Name')}", ("Buckets", index, "Policy"))


def _each(value: dict[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a list, with their index."""
    return ((index, entry) for index, entry in enumerate(_listed(value, key)) if isinstance(entry, dict))


def _listed(value: dict[str, Any], key: str) -> list[Any]:
    entries = value.get(key)
    return entries if isinstance(entries, list) else []
