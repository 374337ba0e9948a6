"""From the options of `irsa webhook` to its configuration."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from webhook import ciphers, kube
from webhook.annotations import Defaults, bounded, partition_of
from webhook.certs import Names
from webhook.injection import ContainerCredentials, Endpoints, Settings
from webhook.serve import Config
from webhook.sources import require_folder

T = TypeVar("T")

CA_LIMIT: Final = 128 * 1024  # bytes; it goes into an annotation of each pod, and all of them may have 256 kB together


def config(options: Mapping[str, Any]) -> Config:
    """The configuration that `options` (named as click names them) describe.

    Raises:
        ConfigError: with the flag's name and what would be right.
    """
    access = _access(options["kubeconfig"], options["kube_api"])
    namespace = options["namespace"] or access.namespace or "eks"
    own = bool(options["in_cluster"])
    if options["enable_debugging_handlers"]:
        raise kube.ConfigError("--enable-debugging-handlers: there are none; they could deny every pod of the cluster")
    settings = _settings(options)
    identities = options["watch_container_credentials_config"]
    return Config(
        access=access,
        settings=settings,
        names=Names(
            endpoint=(*_service_names(options["service_name"], namespace), *options["tls_dns_name"]) if own else (),
            endpoint_ca=options["webhook_ca_secret"],
            configuration=options["webhook_configuration_name"],
            pods_ca=options["ca_secret"] if options["serving_secret"] else "",
            serving=options["serving_secret"],
            session_key=options["session_key_secret"],
        ),
        namespace=namespace,
        owner=options["owner_deployment"],
        port=options["port"],
        metrics_port=options["metrics_port"],
        files=None if own else (options["tls_cert"], options["tls_key"]),
        tls_minimum=max(
            _checked("--tls-min-version", ciphers.version, options["tls_min_version"]),
            ciphers.least(options["tls_cipher_suites"]),
        ),
        tls_ciphers=_checked("--tls-cipher-suites", ciphers.suites, options["tls_cipher_suites"]),
        live_lookup=options["live_lookup"],
        grace=options["service_account_lookup_grace_period"],
        config_map=options["watch_config_map"],
        identities=require_folder(identities) if identities else None,
        compose=options["compose_role_arn"] and not settings.defaults.account_id,
        lame_duck=options["lame_duck"],
    )


def _settings(options: Mapping[str, Any]) -> Settings:
    return Settings(
        defaults=Defaults(
            prefix=options["annotation_prefix"],
            audience=options["token_audience"],
            expiration=bounded(options["token_expiration"]),
            regional_sts=options["sts_regional_endpoint"],
            account_id=options["account_id"],
            partition=options["partition"] or partition_of(options["aws_default_region"]),
        ),
        mount_path=options["token_mount_path"],
        region=options["aws_default_region"],
        endpoints=Endpoints(
            sts=options["sts_endpoint_url"],
            s3=options["s3_endpoint_url"],
            ca_bundle=_ca_bundle(options["aws_ca_bundle_file"]),
        ),
        container_credentials=ContainerCredentials(
            audience=options["container_credentials_audience"],
            mount_path=options["container_credentials_token_mount_path"],
            volume=options["container_credentials_token_volume_name"],
            token_file=options["container_credentials_token_path"],
            full_uri=options["container_credentials_full_uri"],
        ),
    )


def _checked(flag: str, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as problem:
        raise kube.ConfigError(f"{flag}: {problem}") from problem


def _ca_bundle(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        pem = path.read_text()
    except (OSError, UnicodeDecodeError) as problem:
        raise kube.ConfigError(f"--aws-ca-bundle-file: {problem}") from problem
    if "-----BEGIN CERTIFICATE-----" not in pem or len(pem) > CA_LIMIT:
        raise kube.ConfigError(f"--aws-ca-bundle-file {path}: must be PEM certificates of at most {CA_LIMIT} bytes")
    return pem


def _access(kubeconfig: Path | None, server: str) -> kube.Access:
    if kubeconfig is not None:
        return kube.from_kubeconfig(kubeconfig, server)
    if server:
        return kube.Access(server=server.rstrip("/"))
    return kube.in_cluster()


def _service_names(service: str, namespace: str) -> tuple[str, ...]:
    full = f"{service}.{namespace}.svc"
    return (full, service, f"{service}.{namespace}", f"{full}.cluster.local")
