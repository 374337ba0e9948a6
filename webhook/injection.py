"""What one pod is to be given: the token's volume, the variables, and where our own endpoints are used, the CA.

A value, computed from a RoleBinding and the flags; `patch` turns it into operations without knowing where it came from,
so a role (web identity) and EKS Pod Identity (container credentials) are the same thing there.
"""

import posixpath
from functools import lru_cache
from typing import Final

import msgspec

from webhook.annotations import Defaults, PodWishes, RoleBinding
from webhook.grants import DEFAULT_EXPIRATION, PodIdentity
from webhook.model import Pod

VOLUME: Final = "aws-iam-token"
TOKEN_FILE: Final = "token"  # noqa: S105 -- a file's name
CA_FILE: Final = "ca.crt"
# Not under --annotation-prefix: EKS's own agent looks for this very name.
POD_IDENTITY_LABEL: Final = ("eks.amazonaws.com/pod-identity", "enabled")
# One annotation may not make the pod's annotations exceed what the API server takes for all of them together.
ANNOTATIONS_LIMIT: Final = 256 * 1024  # bytes

Variables = tuple[tuple[str, str], ...]


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Our own STS and S3, where pods are to use them instead of AWS's.

    Attributes:
        ca_bundle: PEM of the authorities that signed their certificates; empty: pods need none.
    """

    sts: str = ""
    s3: str = ""
    ca_bundle: str = ""


class ContainerCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """How EKS Pod Identity's agent is reached, and where its token stands."""

    audience: str = "pods.eks.amazonaws.com"
    mount_path: str = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
    volume: str = "eks-pod-identity-token"
    token_file: str = "eks-pod-identity-token"  # noqa: S105 -- a file's name
    full_uri: str = "http://169.254.170.23/v1/credentials"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the flags say about what a pod looks like afterwards."""

    defaults: Defaults = Defaults()
    mount_path: str = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
    region: str = ""
    endpoints: Endpoints = Endpoints()
    container_credentials: ContainerCredentials = ContainerCredentials()


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """What to put into a pod.

    Attributes:
        identity: the pair of variables that goes in together or not at all.
        extras: variables that go in one by one, where the volume with `ca_bundle` is mounted.
        ca_variables: the variables that name the CA's file.
        label: added to the pod; empty: none.
    """

    volume: str
    mount_path: str
    token_file: str
    audience: str
    expiration: int
    identity: Variables
    regional_sts: bool = False
    region: str = ""
    extras: Variables = ()
    ca_bundle: str = ""
    ca_annotation: str = ""
    ca_variables: Variables = ()
    label: tuple[str, str] | None = None
    skip: frozenset[str] = frozenset()


def of_role(binding: RoleBinding, pod: Pod, wishes: PodWishes, settings: Settings) -> Injection:
    """The web identity of `binding` for `pod`."""
    endpoints, windows = settings.endpoints, pod.on_windows
    ca_path = file_path(settings.mount_path, CA_FILE, windows=windows)
    return Injection(
        volume=VOLUME,
        mount_path=settings.mount_path,
        token_file=TOKEN_FILE,
        audience=binding.audience,
        expiration=binding.expiration if wishes.expiration is None else wishes.expiration,
        identity=(
            ("AWS_ROLE_ARN", literal(binding.role_arn)),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", file_path(settings.mount_path, TOKEN_FILE, windows=windows)),
        ),
        regional_sts=binding.regional_sts,
        region=settings.region,
        extras=_endpoint_variables(endpoints),
        ca_bundle=endpoints.ca_bundle if endpoints.sts else "",
        ca_annotation=f"{settings.defaults.prefix}/ca-bundle",
        # Python and the CLI and Go read the first, JavaScript the second.
        ca_variables=(("AWS_CA_BUNDLE", ca_path), ("NODE_EXTRA_CA_CERTS", ca_path)),
        skip=wishes.skip,
    )


def of_pod_identity(identity: PodIdentity, pod: Pod, wishes: PodWishes, settings: Settings, jitter: int) -> Injection:
    """EKS Pod Identity for `pod`; `jitter` seconds are taken off the default expiration, also where it is annotated."""
    credentials = settings.container_credentials
    expiration = identity.expiration if wishes.expiration is None else wishes.expiration
    path = file_path(credentials.mount_path, credentials.token_file, windows=pod.on_windows)
    return Injection(
        volume=credentials.volume,
        mount_path=credentials.mount_path,
        token_file=credentials.token_file,
        audience=credentials.audience,
        expiration=expiration - jitter if expiration == DEFAULT_EXPIRATION else expiration,
        identity=(
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", credentials.full_uri),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path),
        ),
        regional_sts=identity.regional_sts,
        region=settings.region,
        label=POD_IDENTITY_LABEL,
        skip=wishes.skip,
    )


def literal(value: str) -> str:
    """`value` as a variable's value that kubelet leaves as it is: it puts other variables where it reads `$(NAME)`."""
    return value.replace("$", "$$")


@lru_cache(maxsize=64)
def file_path(folder: str, name: str, *, windows: bool) -> str:
    """Where a container finds a file of the mount; on Windows as its programs need it."""
    path = posixpath.normpath(posixpath.join(folder, name))
    return "C:" + path.replace("/", "\\") if windows else path


def _endpoint_variables(endpoints: Endpoints) -> Variables:
    if not endpoints.sts:
        return ()
    pairs = (("AWS_ENDPOINT_URL_STS", endpoints.sts), ("AWS_ENDPOINT_URL_S3", endpoints.s3))
    return tuple((name, value) for name, value in pairs if value)
