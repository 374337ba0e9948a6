"""`irsa sts`."""

from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import urlsplit

import click

from irsa.cli.options import GO_DURATION, PORT, SETTINGS
from irsa.runtime import logs, process

SERVICES: Final = ("s3",)
FILE: Final = click.Path(path_type=Path, dir_okay=False)


class Upstream(click.ParamType[tuple[str, str]]):
    """`SERVICE=URL`."""

    name = "service=url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read the pair; the URL has a host and no path."""
        service, _, url = str(value).partition("=")
        parts = urlsplit(url)
        if service not in SERVICES:
            self.fail(f"{service!r} is no service that the gateway knows; it knows {', '.join(SERVICES)}", param, ctx)
        odd = parts.path not in {"", "/"} or parts.query or "@" in parts.netloc  # a password would be in the log
        if parts.scheme not in {"http", "https"} or not parts.hostname or odd:
            self.fail(f"{url!r}: write it as s3=http://127.0.0.1:5000", param, ctx)
        return service, url


@click.group("sts", context_settings=SETTINGS, invoke_without_command=True)
@click.option("--accounts", type=FILE, help="Account file, YAML or JSON; read again when it changes.")
@click.option("--port", type=PORT, default=8443, help="Port of STS and the gateway.")
@click.option("--metrics-port", type=PORT, default=9999, help="Port of /metrics, /livez and /readyz, plain HTTP.")
@click.option("--host", default="", help="Address to listen on; empty means all.")
@click.option("--tls-cert", type=FILE, help="Certificate chain, PEM; without it this is plain HTTP.")
@click.option("--tls-key", type=FILE, help="The certificate's key, PEM.")
@click.option("--upstream", "upstreams", type=Upstream(), multiple=True, help="Server behind the gateway; repeatable.")
@click.option(
    "--session-key-file",
    type=FILE,
    help="Keys that seal session tokens, one a line.",
)
@click.option(
    "--lame-duck", type=GO_DURATION, default=process.LAME_DUCK_SECONDS, help="How long to go on serving after SIGTERM."
)
@click.option("--log-level", type=click.Choice(list(logs.LEVELS)), default="info", help="Least level that is logged.")
@click.pass_context
def command(  # noqa: PLR0917 -- click passes names
    context: click.Context, accounts: Path | None,
    port: int, metrics_port: int, host: str, tls_cert: Path | None, tls_key: Path | None,
    upstreams: tuple[tuple[str, str], ...], session_key_file: Path | None, lame_duck: float, log_level: str,
) -> None:  # fmt: skip
    """Serve a local AWS STS that checks as AWS does, and the S3 gateway."""
    if context.invoked_subcommand is not None:
        return
    from sts.main import Configuration, serve

    if accounts is None:
        raise click.UsageError("--accounts is needed: the account file, such as examples/quickstart/accounts.yaml")
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    logs.configure(log_level)
    configuration = Configuration(
        accounts=accounts, port=port, metrics_port=metrics_port, host=host or None, tls_cert=tls_cert, tls_key=tls_key,
        session_key_file=session_key_file, upstreams=dict(upstreams), lame_duck=lame_duck,
    )  # fmt: skip
    try:
        process.run(serve(configuration))
    except (ValueError, OSError) as problem:
        raise click.ClickException(str(problem)) from problem


@command.command("import")
@click.argument("exports", type=click.File("rb"), nargs=-1, required=True)
@click.option("--account-id", default="", help="Whose an export is that does not say it.")
def import_(exports: tuple[BinaryIO, ...], account_id: str) -> None:
    """Write an account file out of exports of real accounts.

    EXPORTS are what `aws iam get-account-authorization-details` and `aws iam get-open-id-connect-provider` print, and
    Terraform state files (`terraform state pull`).
    """
    import yaml

    from sts import importing, loading
    from sts.documents import AccountFileError

    try:
        found = importing.imported(((each.name, each.read()) for each in exports), account_id)
        text = yaml.safe_dump(found.file(), sort_keys=False, allow_unicode=True, width=120)
        click.echo(text, nl=False)
        for note in found.notes:
            click.echo(f"note: {note}", err=True)
        loading.load(text.encode())
    except AccountFileError as problem:
        raise click.ClickException(str(problem)) from problem
