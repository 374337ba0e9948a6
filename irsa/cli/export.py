"""`irsa oidc export`: the documents for a bucket or a folder, and a check of what is live."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from irsa.cli.options import SETTINGS
from irsa.cli.sources import PATH, SOURCES, TIMES, pending_option, public_url, source, timing, together
from irsa.runtime import logs
from oidc import exporting
from oidc.destinations import Destination
from oidc.errors import OIDCError
from oidc.publisher import Publisher


@click.command("export", context_settings=SETTINGS)
@click.option("--to", metavar="DIRECTORY|s3://BUCKET[/PREFIX]", help="Write the two documents there, keys first.")
@click.option("--endpoint-url", metavar="URL", help="The object store, if it is not AWS.")
@click.option("--allow-removal", is_flag=True, help="Let keys go that no ledger calls gone.")
@click.option(
    "--check", metavar="URL", help="Say what is live below URL otherwise than it should be; then exit with 1."
)
@click.option("--check-ca-file", type=PATH, help="PEM file to verify --check with.  [default: the system's]")
@together(SOURCES)
@click.option("--ledger", type=PATH, help="The key ledger, so that vanished keys stay for their time.")
@click.option("--public-url", metavar="URL", help="Where relying parties reach the export.  [default: the issuer]")
@together(TIMES)
@pending_option
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", help="For people or programs.")
def command(**given: Any) -> None:  # noqa: ANN401 -- click has checked each by its type
    """Write the documents for a static site, or compare one with the cluster.

    The bytes are those that `irsa oidc` serves. Only what differs is written, by conditional requests.
    """
    if not given["to"] and not given["check"]:
        raise click.UsageError("say where: --to, --check, or both")
    logs.configure("warning")
    try:
        publisher = Publisher(
            source(given), issuer=given["issuer"], public_url=public_url(given["public_url"]), timing=timing(given)
        )
        published = asyncio.run(exporting.current(publisher, given["ledger"]))
        written = _write(publisher, given) if given["to"] else None
        wrong = (
            asyncio.run(exporting.check(given["check"], given["check_ca_file"], published)) if given["check"] else None
        )
    except OIDCError as problem:
        raise click.ClickException(str(problem)) from problem
    _tell(given, [key.kid for key in published.keys], written, wrong)
    sys.exit(1 if wrong else 0)


def _write(publisher: Publisher, given: dict[str, Any]) -> list[str]:
    # Whoever fetches while a rotation is pending has to look again soon, as from the server.
    max_age = min(given["max_age"], given["pending_max_age"]) if publisher.pending else given["max_age"]
    return exporting.write(publisher, _destination(given), int(max_age), allow_removal=given["allow_removal"])


def _destination(given: dict[str, Any]) -> Destination:
    if not given["to"].startswith("s3://"):
        from oidc.destinations.directory import Directory

        return Directory(Path(given["to"]))
    try:
        from oidc.destinations.s3 import Bucket
    except ModuleNotFoundError as missing:
        raise click.ClickException("s3:// needs boto3; install it with: pip install 'irsa[export]'") from missing
    return Bucket(given["to"], given["endpoint_url"])


def _tell(given: dict[str, Any], kids: list[str], written: list[str] | None, wrong: list[str] | None) -> None:
    if given["output"] == "json":
        click.echo(json.dumps({"kids": kids, "written": written, "differences": wrong}, indent=1))
        return
    if written is not None:
        click.echo(f"{given['to']}: " + (f"wrote {', '.join(written)}" if written else "up to date"))
    for line in wrong or []:
        click.echo(f"{given['check']}: {line}")
    if wrong == []:
        click.echo(f"{given['check']}: byte for byte what it should be, {len(kids)} keys")
