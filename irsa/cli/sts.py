"""`irsa sts`."""

import click

from irsa.cli.options import SETTINGS


@click.command("sts", context_settings=SETTINGS)
def command() -> None:
    """Not here yet."""
    raise click.ClickException("this server is not built yet")
