"""`irsa policy`: tools for people who write policies."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from irsa.cli.options import SETTINGS
from sts.documents import AccountFileError, Document
from sts.policy.lint import lint
from sts.policy.model import Kind
from sts.policy.webidentity import Finding
from sts.policyfiles import policies, within

LIMIT: Final = 32 * 1024 * 1024


class Unreadable(click.ClickException):
    """A file that is none of what can be checked."""

    exit_code = 2


@click.group("policy", context_settings=SETTINGS)
def command() -> None:
    """Look at IAM policies without AWS."""


@command.command("check", context_settings=SETTINGS)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
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
def check(context: click.Context, files: tuple[Path, ...], kind: str | None, audience: str, output: str) -> None:
    r"""Say what is wrong in FILE: a policy document, an account file with all its policies, or an answer of IAM's API.

    \b
    Exit code: 0 nothing to say, 1 warnings, 2 a policy that AWS would refuse, or a file that cannot be read.
    """
    found = [(file, finding) for file in files for finding in _findings(file, Kind(kind) if kind else None, audience)]
    if output == "json":
        told = [{"file": str(file), **msgspec.structs.asdict(finding)} for file, finding in found]
        click.echo(json.dumps(told, indent=2))
    else:
        for file, finding in found:
            where = f"{file}:{finding.line}: {finding.level}: {finding.place}"
            line = f"{where}: {finding.problem}; {finding.cure} [{finding.code}]"
            click.echo(line.encode(errors="backslashreplace"))  # a key may be half of a surrogate pair
    levels = {finding.level for _, finding in found}
    context.exit(2 if "error" in levels else 1 if levels else 0)


def _findings(file: Path, kind: Kind | None, audience: str) -> Iterator[Finding]:
    try:
        document = Document(_text(file))
        for policy in policies(document.value, kind):
            for finding in lint(
                policy.document, policy.kind, policy.name,
                providers=policy.providers, audience=audience, names=policy.names,
            ):  # fmt: skip
                inner = within(policy.document, finding.place.removeprefix(policy.name).lstrip(": "))
                yield msgspec.structs.replace(finding, line=document.line((*policy.path, *inner)))
    except AccountFileError as problem:
        raise Unreadable(f"{file}: {problem}") from problem


def _text(file: Path) -> str:
    if str(file) == "-":
        raw = sys.stdin.buffer.read(LIMIT + 1)
    else:
        with file.open("rb") as opened:
            raw = opened.read(LIMIT + 1)
    if len(raw) > LIMIT:
        raise AccountFileError(f"more than {LIMIT} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as problem:
        raise AccountFileError(f"no UTF-8 text: {problem}") from problem
