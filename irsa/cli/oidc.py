"""`irsa oidc`: options into settings, and a source out of what was given."""

import os
from pathlib import Path

import click

from irsa.cli.options import GO_DURATION, PORT, SETTINGS
from irsa.runtime import logs, process
from oidc.errors import ConfigError
from oidc.serve import Settings, serve
from oidc.sources import Source
from oidc.sources.apiserver import APIServer, Endpoint, in_cluster
from oidc.sources.kubeconfig import endpoint_of

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("oidc", context_settings=SETTINGS, invoke_without_command=True)
@click.option("--port", type=PORT, default=8443, help="Port of the documents.")
@click.option("--metrics-port", type=PORT, default=9999, help="Port of /metrics, /livez and /readyz, plain HTTP.")
@click.option("--bind-address", default=None, help="Address to listen on.  [default: all]")
@click.option("--tls-cert", type=FILE, help="PEM certificate chain, read again when it changes.")
@click.option("--tls-key", type=FILE, help="PEM key of --tls-cert. Without the two it is plain HTTP.")
@click.option("--kubeconfig", type=FILE, help="Take the documents from this kubeconfig's current context.")
@click.option("--kube-api", metavar="URL", help="Take the documents from the API server at this URL.")
@click.option("--kube-ca-file", type=FILE, help="PEM file to verify --kube-api with.  [default: the system's]")
@click.option("--kube-token-file", type=FILE, help="Bearer token for --kube-api, read again at every poll.")
@click.option("--issuer", metavar="URL", help="The issuer that the source must have.  [default: whatever it says]")
@click.option("--public-url", metavar="URL", help="Where relying parties reach us.  [default: the issuer]")
@click.option("--poll", type=GO_DURATION, default="10s", help="Time between two looks at the source.")
@click.option("--max-age", type=GO_DURATION, default="1h", help="How long a cache may keep the documents.")
@click.option("--lame-duck", type=GO_DURATION, default="5s", help="How long to serve on after SIGTERM.")
@click.option("--log-level", type=click.Choice(list(logs.LEVELS)), default="info", help="Least level that is logged.")
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    port: int,
    metrics_port: int,
    bind_address: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    kubeconfig: Path | None,
    kube_api: str | None,
    kube_ca_file: Path | None,
    kube_token_file: Path | None,
    issuer: str | None,
    public_url: str | None,
    poll: float,
    max_age: float,
    lame_duck: float,
    log_level: str,
) -> None:
    """Serve a cluster's OIDC discovery document and JWKS.

    Without --kubeconfig or --kube-api they come from the API server of the cluster that this runs in, which takes
    ClusterRole system:service-account-issuer-discovery and no other right.
    """
    if context.invoked_subcommand is not None:
        return
    logs.configure(log_level)
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    settings = Settings(
        port=port,
        metrics_port=metrics_port,
        bind_address=bind_address,
        certificate=(tls_cert, tls_key) if tls_cert and tls_key else None,
        public_url=public_url,
        issuer=issuer,
        poll=poll,
        max_age=int(max_age),
        lame_duck=lame_duck,
    )
    try:
        process.run(serve(settings, _source(kubeconfig, kube_api, kube_ca_file, kube_token_file)))
    except (ConfigError, OSError) as problem:
        raise click.ClickException(str(problem)) from problem


def _source(kubeconfig: Path | None, kube_api: str | None, ca: Path | None, token: Path | None) -> Source:
    if kubeconfig and kube_api:
        raise click.UsageError("give --kubeconfig or --kube-api, not both")
    if kubeconfig:
        return APIServer(endpoint_of(kubeconfig))
    if kube_api:
        return APIServer(Endpoint(kube_api, ca=ca, token=token))
    return APIServer(in_cluster(os.environ))
