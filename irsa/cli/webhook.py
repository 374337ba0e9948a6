"""`irsa webhook`: the Go webhook's flags by name, meaning and default, and ours beside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from irsa import __version__
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


def _verbosity(_: click.Context, __: click.Parameter, value: str) -> int:
    try:
        return int(value.removeprefix("="))  # Go reads -v=4 as well as -v 4
    except ValueError as problem:
        raise click.BadParameter(f"{value!r} is no number") from problem


# Where klog would write; we write to standard error, one JSON object a line.
KLOG: Final = (
    "logtostderr",
    "alsologtostderr",
    "alsologtostderrthreshold",
    "one_output",
    "skip_headers",
    "skip_log_headers",
    "add_dir_header",
    "stderrthreshold",
    "legacy_stderr_threshold_behavior",
    "vmodule",
    "log_file",
    "log_dir",
    "log_file_max_size",
    "log_backtrace_at",
)
DEBUG_VERBOSITY: Final = 4


def klog(command: Callable[..., None]) -> Callable[..., None]:
    """Accept klog's flags, hidden and without effect, so that the Go webhook's command lines still run."""
    for name in KLOG:
        option = click.option(f"--{name}", is_flag=False, flag_value="true", hidden=True, expose_value=False)
        command = option(command)
    return command


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
@click.option("--watch-config-map", **BOOL, default=False, help="Roles also from ConfigMap pod-identity-webhook.")
@click.option("--compose-role-arn", **BOOL, default=False, help="A role without `arn:` is one of this account.")
@click.option("--account-id", default="", help="This account; asked of EC2 where --compose-role-arn needs it.")
@click.option("--partition", default="", help="Its partition; by the region of --aws-default-region by default.")
@click.option("--watch-container-credentials-config", type=FILE, help="JSON file of EKS Pod Identity's users.")
@click.option("--container-credentials-audience", default="pods.eks.amazonaws.com", help="Audience of their token.")
@click.option(
    "--container-credentials-token-mount-path",
    default="/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
    help="Its folder.",
)
@click.option("--container-credentials-token-volume-name", default="eks-pod-identity-token", help="Its volume.")
@click.option("--container-credentials-token-path", default="eks-pod-identity-token", help="Its file.")
@click.option(
    "--container-credentials-full-uri", default="http://169.254.170.23/v1/credentials", help="Where their agent is."
)
@click.option(
    "--service-account-lookup-grace-period",
    type=GO_DURATION,
    default="0s",
    help="How long to wait for a ServiceAccount that does not exist yet.",
)
@click.option("--resync-period", type=GO_DURATION, default="60s", help="Accepted; our watch needs none.")
@click.option("--enable-debugging-handlers", **BOOL, default=False, help="Refused: there are none.")
@click.option("--tls-min-version", default="", help="1.0 to 1.3; 1.2 by default.")
@click.option("--tls-cipher-suites", default="", help="Go's names, comma-separated; OpenSSL's choice by default.")
@click.option("--tls-secret", default="pod-identity-webhook", help="Accepted; see --webhook-ca-secret.")
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
@click.option(
    "-v", "--v", "verbosity", callback=_verbosity, default="0", help="As klog's: 4 and more is --log-level=debug."
)
@klog
@click.version_option(__version__, prog_name="irsa webhook")
def command(**options: Any) -> None:  # noqa: ANN401 -- as many types as options
    """Serve the admission webhook that gives pods their role."""
    from irsa.runtime import logs, process
    from webhook.kube import ConfigError
    from webhook.options import config
    from webhook.serve import serve

    logs.configure("debug" if options["verbosity"] >= DEBUG_VERBOSITY else options["log_level"])
    try:
        process.run(serve(config(options)))
    except ConfigError as problem:
        raise click.ClickException(str(problem)) from problem
