"""ConfigMap `irsa-keys`: read, and written only over what was read.

Two writers can never undo each other's work: an update names the resourceVersion that it was made from, and the API
server refuses it if there is a newer one. So `irsa keys drop` and the keeper may work at the same time.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import urllib3
from kubernetes import client
from kubernetes import config as kubernetes_config
from kubernetes.client.exceptions import ApiException

from oidc import record
from oidc.errors import ConfigError, DocumentError, SourceError
from oidc.record import Record

config: Any = kubernetes_config  # it carries no types

NAME: Final = "irsa-keys"
TIMEOUT: Final = (3.0, 5.0)  # seconds to connect, to read
NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
NOT_FOUND, CONFLICT = 404, 409


class ConflictError(SourceError):
    """Somebody else wrote first; read again."""

    kind = "conflict"


class Stored(msgspec.Struct, frozen=True):
    """The record, and the resourceVersion that an update must name; None: there is no ConfigMap yet."""

    record: Record
    version: str | None


def connect(kubeconfig: Path | None) -> Any:  # noqa: ANN401 -- kubernetes carries no types
    """An API client by a kubeconfig, or of the cluster that we run in, or by the user's own kubeconfig.

    Raises:
        ConfigError: none of them can be used.
    """
    configuration = client.Configuration()
    try:
        if kubeconfig is not None:
            config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        elif NAMESPACE_FILE.exists():
            config.load_incluster_config(client_configuration=configuration)
        else:
            config.load_kube_config(client_configuration=configuration)
    except (config.ConfigException, OSError, ValueError, TypeError) as problem:
        raise ConfigError(f"kubeconfig {kubeconfig or '(default)'}: {problem}") from None
    configuration.retries = False
    return client.ApiClient(configuration)


def own_namespace() -> str:
    """The pod's namespace, or the one that the chart's documentation installs into."""
    return NAMESPACE_FILE.read_text("ascii").strip() if NAMESPACE_FILE.exists() else "irsa-system"


class Store:
    """The ConfigMap of one namespace; `owner` is the ownerReference that it gets when it is made."""

    def __init__(self, api: Any, namespace: str, owner: dict[str, object] | None = None) -> None:  # noqa: ANN401
        self.place = f"ConfigMap {namespace}/{NAME}"
        self._core, self._namespace, self._owner = client.CoreV1Api(api), namespace, owner

    def read(self) -> Stored:
        """What is there now.

        Raises:
            OIDCError: the API server does not answer, or what it holds is no ledger.
        """
        try:
            found = call(self._core.read_namespaced_config_map, NAME, self._namespace)
        except MissingError:
            return Stored(Record(), None)
        data = (found.data or {}).get(record.FILE)
        if data is None:
            raise DocumentError(f"{self.place}: it has no key {record.FILE}; delete it, or put the ledger back")
        return Stored(record.decode(data.encode(), self.place), found.metadata.resource_version)

    def write(self, what: Record, version: str | None) -> None:
        """Put `what` in the place of what was read as `version`.

        Raises:
            ConflictError: it is no longer what was read.
            SourceError: the API server does not answer.
        """
        metadata: dict[str, object] = {"name": NAME, "namespace": self._namespace}
        body = {"metadata": metadata, "data": {record.FILE: record.encode(what).decode()}}
        if version is None:
            metadata["ownerReferences"] = [self._owner] if self._owner else []
            metadata["labels"] = {"app.kubernetes.io/name": "irsa", "app.kubernetes.io/component": "keys"}
            call(self._core.create_namespaced_config_map, self._namespace, body)
        else:
            metadata["resourceVersion"] = version
            call(self._core.patch_namespaced_config_map, NAME, self._namespace, body)


class MissingError(SourceError):
    """There is no such object."""


def call(method: Any, *arguments: object) -> Any:  # noqa: ANN401 -- kubernetes carries no types
    """One request with its deadline; its failure as one of ours, without the answer's headers and body.

    Raises:
        MissingError, ConflictError, SourceError: 404, 409, anything else.
    """
    try:
        return method(*arguments, _request_timeout=TIMEOUT)
    except ApiException as problem:
        what = f"API server: {method.__name__}: {problem.status} {problem.reason}"
        if problem.status == NOT_FOUND:
            raise MissingError(what) from None
        raise (ConflictError if problem.status == CONFLICT else SourceError)(what) from None
    except (urllib3.exceptions.HTTPError, OSError) as problem:
        raise SourceError(f"API server: {method.__name__}: {problem}") from None


def owner_reference(api: Any, namespace: str, deployment: str) -> dict[str, object]:  # noqa: ANN401 -- see above
    """What ties an object to our Deployment, so that `helm uninstall` takes it too."""
    found = call(client.AppsV1Api(api).read_namespaced_deployment, deployment, namespace)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment, "uid": found.metadata.uid}
