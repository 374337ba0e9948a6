"""The `irsa` command: one module a sub-command, each imported only when it is called.

Nothing is decided here: a sub-command reads its options into a configuration and hands that to its package. The late
import matters: `irsa oidc` and `irsa sts` must not pay for kopf.
"""

import importlib
from typing import Final

import click

from irsa import __version__
from irsa.cli.options import SETTINGS

# name -> (module below irsa.cli that has an attribute `command`, the line that `irsa --help` shows)
COMMANDS: Final = {
    "webhook": ("irsa.cli.webhook", "Serve the admission webhook that gives pods their role."),
    "oidc": ("irsa.cli.oidc", "Serve the cluster's OIDC discovery document and JWKS."),
    "keys": ("irsa.cli.keys", "Show and change which signing keys are published, and keep their ledger."),
    "sts": ("irsa.cli.sts", "Serve a local AWS STS that checks as AWS does, and the S3 gateway."),
    "policy": ("irsa.cli.policy", "Check IAM policies before AWS, or a pod, finds them wrong."),
}


class LazyGroup(click.Group):
    """A group whose sub-commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """The sub-command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        try:
            command = importlib.import_module(COMMANDS[cmd_name][0]).command
        except ModuleNotFoundError as missing:
            if missing.name is None or missing.name.partition(".")[0] in {"irsa", "webhook", "oidc", "sts"}:
                raise
            raise click.ClickException(
                f"`irsa {cmd_name}` needs the package {missing.name!r}; install irsa with the extra that brings it, "
                f"or with all of them: pip install 'irsa[all]'"
            ) from missing
        assert isinstance(command, click.Command)  # noqa: S101 -- a programming error, not an input
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """List the sub-commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="irsa")
def main() -> None:
    """IAM roles for service accounts on any Kubernetes cluster.

    Every option of a command can also be given as an environment variable: IRSA_ and the option's name, such as
    IRSA_METRICS_PORT for --metrics-port.
    """
