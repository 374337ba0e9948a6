"""The fields that admission reads, typed, and nothing else.

An AdmissionReview is decoded straight into these (msgspec skips the rest without building it), so a field that only a
future Kubernetes knows costs nothing and is never touched: what we send back are operations, not objects. `null` and
absent mean the same in the Kubernetes API, hence `| None` wherever a list or an object may stand.
"""

from typing import Any

import msgspec


class Wire(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A JSON object of the Kubernetes API, of which only some fields are read."""


class EnvVar(Wire, frozen=True):
    """A variable of a container; where its value comes from does not matter here."""

    name: str = ""


class VolumeMount(Wire, frozen=True):
    """Which volume stands where in a container."""

    name: str = ""
    mount_path: str = ""


class Container(Wire, frozen=True):
    """A container or init container."""

    name: str = ""
    env: list[EnvVar] | None = None
    volume_mounts: list[VolumeMount] | None = None

    @property
    def variables(self) -> frozenset[str]:
        """The names in `env`, whatever their values' sources."""
        return frozenset([variable.name for variable in self.env or ()])


class FileProjection(Wire, frozen=True):
    """One file of a projected volume, as far as its path."""

    path: str = ""


class DownwardAPIProjection(Wire, frozen=True):
    """Fields of the pod as files."""

    items: list[FileProjection] | None = None


class VolumeProjection(Wire, frozen=True):
    """One source of a projected volume."""

    service_account_token: FileProjection | None = None
    downward_api: DownwardAPIProjection | None = msgspec.field(default=None, name="downwardAPI")


class ProjectedVolumeSource(Wire, frozen=True):
    """The sources of a projected volume."""

    sources: list[VolumeProjection] | None = None


class Volume(Wire, frozen=True):
    """A volume; any source but `projected` is foreign to us."""

    name: str = ""
    projected: ProjectedVolumeSource | None = None

    def holds_token(self, path: str) -> bool:
        """Whether it is a projected volume that puts a ServiceAccount token at `path`."""
        sources = (self.projected and self.projected.sources) or ()
        return any(source.service_account_token and source.service_account_token.path == path for source in sources)

    def holds_field(self, path: str) -> bool:
        """Whether it is a projected volume that puts a field of the pod at `path`."""
        sources = (self.projected and self.projected.sources) or ()
        items = (item for source in sources if source.downward_api for item in source.downward_api.items or ())
        return any(item.path == path for item in items)


class OperatingSystem(Wire, frozen=True):
    """`spec.os`."""

    name: str = ""


class PodSpec(Wire, frozen=True):
    """The parts of a pod's specification that decide about injection."""

    service_account_name: str | None = None
    service_account: str | None = None
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    volumes: list[Volume] | None = None
    node_selector: dict[str, str] | None = None
    os: OperatingSystem | None = None


class ObjectMeta(Wire, frozen=True):
    """Metadata of a pod or a ServiceAccount."""

    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Pod(Wire, frozen=True):
    """A pod as it stands in `request.object`."""

    metadata: ObjectMeta | None = None
    spec: PodSpec | None = None

    @property
    def service_account(self) -> str:
        """The ServiceAccount's name by the API server's own rule: the name, its deprecated alias, `default`."""
        return (self.spec and (self.spec.service_account_name or self.spec.service_account)) or "default"

    @property
    def title(self) -> str:
        """The pod's name for logs; one that is still to be generated ends in `*`."""
        metadata = self.metadata or ObjectMeta()
        return metadata.name or f"{metadata.generate_name or ''}*"

    @property
    def annotations(self) -> dict[str, str]:
        """The pod's annotations, empty where there are none."""
        return (self.metadata.annotations if self.metadata else None) or {}

    @property
    def volumes(self) -> dict[str, "Volume"]:
        """The pod's volumes by name."""
        return {volume.name: volume for volume in (self.spec.volumes if self.spec else None) or ()}

    @property
    def on_windows(self) -> bool:
        """Whether the pod says that it runs on Windows."""
        if self.spec is None:
            return False
        selector = self.spec.node_selector or {}
        selected = "windows" in {selector.get("kubernetes.io/os"), selector.get("beta.kubernetes.io/os")}
        return selected or (self.spec.os is not None and self.spec.os.name == "windows")


class GroupVersionResource(Wire, frozen=True):
    """What kind of object a review is about."""

    group: str = ""
    version: str = ""
    resource: str = ""


class AdmissionRequest(Wire, frozen=True):
    """`request` of an AdmissionReview."""

    uid: str = ""
    namespace: str | None = None
    operation: str | None = None
    resource: GroupVersionResource | None = None
    sub_resource: str | None = None
    dry_run: bool | None = None
    object: Pod | None = None


class AdmissionReview(Wire, frozen=True):
    """A review as the API server sends it, v1 or v1beta1."""

    api_version: str = ""
    kind: str = ""
    request: AdmissionRequest | None = None


Operation = dict[str, Any]  # RFC 6902: {"op": …, "path": …, "value": …}
