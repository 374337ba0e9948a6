"""`irsa oidc`: options into settings."""

import ipaddress
import ssl
from typing import Any, Final

import click

from irsa.cli import export
from irsa.cli.options import GO_DURATION, PORT, SETTINGS
from irsa.cli.sources import (
    PATH,
    SOURCES,
    TIMES,
    cluster_option,
    pending_option,
    public_url,
    shared_option,
    sources,
    timing,
    together,
)
from irsa.runtime import logs, process
from oidc.errors import ConfigError
from oidc.serve import Settings, serve

TLS_VERSIONS: Final = {"VersionTLS12": ssl.TLSVersion.TLSv1_2, "VersionTLS13": ssl.TLSVersion.TLSv1_3}
MADE: Final = frozenset({"host", "trusted", "pending_max_age", "public_url"})  # settings that are not as they are given


@click.group("oidc", context_settings=SETTINGS, invoke_without_command=True)
@together(SOURCES)
@cluster_option
@shared_option
@click.option("--ledger", type=PATH, help="The file of ConfigMap irsa-keys, if there is one; read again at every look.")
@click.option("--public-url", metavar="URL", help="Where relying parties reach us.  [default: the issuer]")
@together(TIMES)
@pending_option
@click.option("--port", type=PORT, default=8443, help="Port of the documents.")
@click.option("--metrics-port", type=PORT, default=9999, help="Port of /metrics, /livez and /readyz, plain HTTP.")
@click.option("--host", default="", help="Address to listen on; empty means all.")
@click.option("--tls-cert", type=PATH, help="Certificate chain, PEM, read again when it changes; none is plain HTTP.")
@click.option("--tls-key", type=PATH, help="The certificate's key, PEM.")
@click.option("--tls-min-version", type=click.Choice(list(TLS_VERSIONS)), default="VersionTLS12", help="Oldest TLS.")
@click.option("--connections", type=click.IntRange(1), default=1000, help="Connections at once; more are closed.")
@click.option("--trusted-proxy", "trusted", multiple=True, metavar="CIDR",
              help="Believe X-Forwarded-For from there, and limit each client to --rate; repeatable.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(0), default=20, help="Requests a second from one client; 0: no limit.")
@click.option("--burst", type=click.IntRange(1), default=200, help="Requests from one client at once.")
@click.option("--startup-grace", type=GO_DURATION, default="1m", help="Be ready then, though some cluster is away.")
@click.option("--lame-duck", type=GO_DURATION, default="5s", help="How long to go on serving after SIGTERM.")
@click.option("--log-level", type=click.Choice(list(logs.LEVELS)), default="info", help="Least level that is logged.")
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 -- click has checked each by its type
    """Serve a cluster's OIDC discovery document and JWKS.

    Without a source they come from the API server of the cluster that this runs in, which takes ClusterRole
    system:service-account-issuer-discovery and no other right.
    """
    if context.invoked_subcommand is not None:
        return
    logs.configure(given["log_level"])
    try:
        process.run(serve(settings(given), sources(given)))
    except (ConfigError, OSError) as problem:
        raise click.ClickException(str(problem)) from problem


def settings(given: dict[str, Any]) -> Settings:
    """What the server is to do; options that do not go together are refused."""
    certificate, key = given["tls_cert"], given["tls_key"]
    if (certificate is None) != (key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    names = set(Settings.__struct_fields__)
    return Settings(
        **{name: value for name, value in given.items() if name in names - MADE},
        public_url=public_url(given["public_url"]),
        host=given["host"] or None,
        certificate=(certificate, key) if certificate else None,
        tls_minimum=TLS_VERSIONS[given["tls_min_version"]],
        timing=timing(given),
        pending_max_age=int(given["pending_max_age"]),
        trusted=tuple(_network(text) for text in given["trusted"]),
    )


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as problem:
        raise click.UsageError(f"--trusted-proxy {text!r}: {problem}; write it as 10.0.0.0/8") from None


command.add_command(export.command)
