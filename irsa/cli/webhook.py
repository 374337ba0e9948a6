"""`irsa webhook`: the Go webhook's flags by name, meaning and default, and ours beside them."""

from pathlib import Path
from typing import Any, Final

import click

from irsa.cli.options import GO_BOOL, GO_DURATION, PORT, SETTINGS

FILE: Final = click.Path(path_type=Path)
# Go: `--flag` alone is true, a value is given as `--flag=false`.
BOOL: Final[dict[str, Any]] = {"type": GO_BOOL, "is_flag": False, "flag_value": "true"}


def _serving(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    serving = {}
    for value in values:
        name, _equals, names = value.partition("=")
        if not name or not all(names.split(",")):
            raise click.BadParameter(f"{value!r}; write it as NAME=DNS[,DNS...]")
        serving[name] = tuple(names.split(","))
    return serving


@click.command("webhook", context_settings=SETTINGS)
@click.option("--port", type=PORT, default=443, help="HTTPS port of the admission endpoint.")
@click.option("--metrics-port", type=PORT, default=9999, help="Plain HTTP port of metrics and health.")
@click.option("--kubeconfig", type=FILE, help="Kubeconfig, outside a cluster.")
@click.option("--kube-api", default="", help="URL of the API server, outside a cluster.")
@click.option("--in-cluster", **BOOL, default=True, help="true: our own CA signs; false: --tls-cert, --tls-key.")
@click.option("--tls-cert", type=FILE, default="/etc/webhook/certs/tls.crt", help="With --in-cluster=false.")
@click.option("--tls-key", type=FILE, default="/etc/webhook/certs/tls.key", help="With --in-cluster=false.")
@click.option("--tls-dns-name", multiple=True, help="One more name in the certificate; can be repeated.")
@click.option("--namespace", default="", help="Where our Secrets are; the pod's own by default.")
@click.option("--service-name", default="irsa-webhook", help="Name of the webhook's Service.")
@click.option("--annotation-prefix", default="eks.amazonaws.com", help="Prefix of all annotations.")
@click.option("--token-audience", default="sts.amazonaws.com", help="Audience of the token.")
@click.option("--token-mount-path", default="/var/run/secrets/eks.amazonaws.com/serviceaccount", help="Its folder.")
@click.option("--token-expiration", type=int, default=86400, help="Seconds; at least 600.")
@click.option("--aws-default-region", default="", help="Sets AWS_DEFAULT_REGION and AWS_REGION.")
@click.option("--sts-regional-endpoint", **BOOL, default=False, help="Sets AWS_STS_REGIONAL_ENDPOINTS.")
@click.option("--sts-endpoint-url", default="", help="Our own STS, for pods; empty: AWS's.")
@click.option("--s3-endpoint-url", default="", help="Our own S3, for pods; empty: AWS's.")
@click.option("--aws-ca-bundle-file", type=FILE, help="PEM that pods trust our own STS by, instead of --ca-secret's.")
@click.option(
    "--live-lookup",
    type=click.Choice(["unbound", "missing", "never"]),
    default="unbound",
    help="When to ask the API server about a ServiceAccount that is unknown or without a role.",
)
@click.option("--webhook-configuration-name", default="irsa-webhook", help="Whose caBundle we write; empty: none.")
@click.option("--webhook-ca-secret", default="irsa-webhook-ca", help="Secret with the endpoint's CA.")
@click.option("--ca-secret", default="irsa-ca", help="Secret with the CA of oidc and sts; empty: none.")
@click.option(
    "--serving-secret",
    multiple=True,
    callback=_serving,
    metavar="NAME=DNS[,DNS...]",
    help="TLS Secret to keep, signed by --ca-secret's CA; can be repeated.",
)
@click.option("--session-key-secret", default="", help="Secret with the STS's session key to keep; empty: none.")
@click.option("--owner-deployment", default="", help="Deployment that owns what is made at run time; empty: none.")
@click.option("--lame-duck", type=GO_DURATION, default="5s", help="How long to serve on after SIGTERM.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
def command(**options: Any) -> None:  # noqa: ANN401 -- as many types as options
    """Serve the admission webhook that gives pods their role."""
    from irsa.runtime import logs, process
    from webhook.kube import ConfigError
    from webhook.options import config
    from webhook.serve import serve

    logs.configure(options["log_level"])
    try:
        process.run(serve(config(options)))
    except ConfigError as problem:
        raise click.ClickException(str(problem)) from problem
