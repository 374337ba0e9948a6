"""`irsa policy`: tools for people who write policies."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from irsa.cli.options import SETTINGS
from sts.documents import AccountFileError, Document
from sts.policy.lint import lint
from sts.policy.model import Kind
from sts.policy.webidentity import Finding, Providers

LIMIT: Final = 32 * 1024 * 1024


@click.group("policy", context_settings=SETTINGS)
def command() -> None:
    """Look at IAM policies without AWS."""


@command.command("check", context_settings=SETTINGS)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in Kind]),
    help="What a single document is attached to; by default a trust policy if it names principals and no resource, a "
    "resource policy if it names both, else an identity policy.",
    show_default=False,
)
@click.option("--audience", default="sts.amazonaws.com", help="What tokens carry, where no provider is in the file.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How findings are written.")
@click.pass_context
def check(context: click.Context, file: Path, kind: str | None, audience: str, output: str) -> None:
    """Say what is wrong in FILE: a policy document, or an account file with all its policies.

    Exit code: 0 nothing to say, 1 warnings, 2 a policy that AWS would refuse, or a file that cannot be read.
    """
    try:
        findings = list(_findings(Document(_text(file)).value, kind, audience, str(file)))
    except AccountFileError as problem:
        raise click.UsageError(f"{file}: {problem}") from problem
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=2).decode())
    else:
        for finding in findings:
            click.echo(f"{finding.level}: {finding.place}: {finding.problem}; {finding.cure} [{finding.code}]")
    context.exit(2 if any(finding.level == "error" for finding in findings) else 1 if findings else 0)


def _text(file: Path) -> str:
    raw = sys.stdin.buffer.read(LIMIT + 1) if str(file) == "-" else file.read_bytes()
    if len(raw) > LIMIT:
        raise click.UsageError(f"{file} has more than {LIMIT} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as problem:
        raise click.UsageError(f"{file} is no UTF-8 text: {problem}") from problem


def _findings(value: Any, kind: str | None, audience: str, name: str) -> Iterator[Finding]:  # noqa: ANN401 -- any document
    if isinstance(value, dict) and "Accounts" in value:
        for account in _each(value, "Accounts"):
            providers = _providers(account)
            for document, its_kind, place in _policies(account):
                yield from lint(document, its_kind, place, providers=providers)
        return
    guessed = Kind(kind) if kind else _guess(value)
    yield from lint(value, guessed, name, audience=audience)


def _guess(value: Any) -> Kind:  # noqa: ANN401 -- any document
    statements = value.get("Statement") if isinstance(value, dict) else None
    first = next(iter(statements if isinstance(statements, list) else [statements]), None)
    keys = set(first) if isinstance(first, dict) else set()
    if not keys & {"Principal", "NotPrincipal"}:
        return Kind.IDENTITY
    return Kind.RESOURCE if keys & {"Resource", "NotResource"} else Kind.TRUST


def _providers(account: dict[str, Any]) -> Providers:
    prefix = f"arn:{account.get('Partition', 'aws')}:iam::{account.get('AccountId', '')}:oidc-provider/"
    return {
        prefix + re.sub("^https?://", "", str(entry.get("Url"))): tuple(entry.get("ClientIDList") or ())
        for entry in _each(account, "OpenIDConnectProviders")
    }


def _policies(account: dict[str, Any]) -> Iterator[tuple[Any, Kind, str]]:
    """Each policy of an account with its kind and place."""
    for role in _each(account, "RoleDetailList"):
        yield role.get("AssumeRolePolicyDocument"), Kind.TRUST, f"role {role.get('RoleName')}: trust"
    for entries, list_name, title in (
        ("RoleDetailList", "RolePolicyList", "Role"),
        ("UserDetailList", "UserPolicyList", "User"),
        ("GroupDetailList", "GroupPolicyList", "Group"),
    ):
        for entry in _each(account, entries):
            for policy in _each(entry, list_name):
                place = f"{title.lower()} {entry.get(title + 'Name')}: {policy.get('PolicyName')}"
                yield policy.get("PolicyDocument"), Kind.IDENTITY, place
    for policy in _each(account, "Policies"):
        for version in _each(policy, "PolicyVersionList"):
            if version.get("IsDefaultVersion"):
                yield version.get("Document"), Kind.IDENTITY, f"policy {policy.get('PolicyName')}"
    for bucket in _each(account, "Buckets"):
        if bucket.get("Policy"):
            yield bucket["Policy"], Kind.RESOURCE, f"bucket {bucket.get('Name')}"


def _each(value: Any, key: str) -> list[dict[str, Any]]:  # noqa: ANN401 -- any document
    entries = value.get(key) if isinstance(value, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
