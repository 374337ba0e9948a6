"""The patch that gives a pod its identity.

Only additions, and only what is missing: a container is never sent back whole, since a field that we do not know would
be lost. What the pod already has wins. `plan(apply(pod, plan(pod, injection)), injection)` is empty, so a second
admission pass changes nothing.

The order of everything is the Go webhook's: volume first in the list; in each container the STS mode, the region's
pair, the identity's pair, then what only we add, then the mount.
"""

from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec

from webhook.injection import ANNOTATIONS_LIMIT, CA_FILE, Injection, Variables
from webhook.model import Container, Operation, Pod, PodSpec

REGIONAL: Final = ("AWS_STS_REGIONAL_ENDPOINTS", "regional")
REGION_NAMES: Final = ("AWS_DEFAULT_REGION", "AWS_REGION")
SPARE_VOLUME: Final = "irsa-"  # before the volume's name where somebody else's has that name

# With the variables that each is given, more of them are no object that etcd takes.
CONTAINERS_LIMIT: Final = 4000


class Plan(msgspec.Struct, frozen=True):
    """Operations (RFC 6902, all of them `add`), and what the pod's author should know."""

    operations: list[Operation]
    warnings: tuple[str, ...] = ()


class _Volume(msgspec.Struct, frozen=True):
    # The volume that containers are to mount: whether it is still to be added, and whether the CA is in it.
    name: str
    missing: bool
    has_ca: bool


def plan(pod: Pod, injection: Injection) -> Plan:
    """What `pod` still lacks of `injection`; no operation when it has all of it already."""
    if pod.spec is None:
        return Plan([], ("this pod has no spec",))
    if len(pod.spec.containers or ()) + len(pod.spec.init_containers or ()) > CONTAINERS_LIMIT:
        return Plan([], (f"this pod has more than {CONTAINERS_LIMIT} containers, so it gets no role",))
    containers = _containers(pod.spec, injection.skip)
    volume = _volume(pod, injection, containers)
    if volume is None:
        return Plan([], (_taken(injection),))
    operations = [
        *_annotation(pod, injection, volume),
        *_label(pod, injection),
        *_volume_operation(pod.spec, injection, volume),
    ]
    warnings: list[str] = []
    for path, container in containers:
        operations += _container(path, container, pod, injection=injection, volume=volume, warnings=warnings)
    return Plan(operations, tuple(warnings))


def apply(document: Any, operations: list[Operation]) -> Any:  # noqa: ANN401 -- any JSON document
    """`document`, changed in place by `add` operations.

    Raises:
        ValueError: an operation does not apply; the API server would refuse the pod with the whole patch.
    """
    for operation in operations:
        path = operation["path"]
        *parents, last = map(_unescape, path.split("/")[1:]) if "~" in path else path.split("/")[1:]
        target = document
        try:
            for token in parents:
                target = target[int(token)] if isinstance(target, list) else target[token]
            if not isinstance(target, list):
                target[last] = operation["value"]
            elif last == "-":
                target.append(operation["value"])
            elif 0 <= int(last) <= len(target):
                target.insert(int(last), operation["value"])
            else:
                raise IndexError(last)
        except (LookupError, TypeError, ValueError) as problem:
            raise ValueError(f"operation does not apply: add {operation['path']}: {problem!r}") from problem
    return document


def outline(pod: Pod) -> dict[str, Any]:
    """The pod as far as a patch of ours can tell: which members there are, and how long the lists."""
    found: dict[str, dict[str, Any]] = {}
    if (metadata := pod.metadata) is not None:
        there = found["metadata"] = {}
        if metadata.labels is not None:
            there["labels"] = metadata.labels.copy()
        if metadata.annotations is not None:
            there["annotations"] = metadata.annotations.copy()
    if (spec := pod.spec) is not None:
        parts = found["spec"] = {}
        if spec.volumes is not None:
            parts["volumes"] = [None] * len(spec.volumes)
        if spec.containers is not None:
            parts["containers"] = [_outline(each) for each in spec.containers]
        if spec.init_containers is not None:
            parts["initContainers"] = [_outline(each) for each in spec.init_containers]
    return found


def _outline(container: Container) -> dict[str, list[None]]:
    found = {}
    if container.env is not None:
        found["env"] = [None] * len(container.env)
    if container.volume_mounts is not None:
        found["volumeMounts"] = [None] * len(container.volume_mounts)
    return found


def escape(token: str) -> str:
    """A key as one token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _containers(spec: PodSpec, skip: AbstractSet[str]) -> list[tuple[str, Container]]:
    # Ephemeral containers cannot be there at creation, and may not mount what the pod lacks.
    found = []
    for key, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for index, container in enumerate(containers or ()):
            if container.name not in skip:
                found.append((f"/spec/{key}/{index}", container))
    return found


def _volume(pod: Pod, injection: Injection, containers: list[tuple[str, Container]]) -> _Volume | None:
    volumes = pod.volumes
    fits = injection.ca_bundle != "" and _annotation_fits(pod, injection)
    for name in (injection.volume, SPARE_VOLUME + injection.volume):
        there = volumes.get(name)
        if there is None:
            return _Volume(name, missing=True, has_ca=fits)
        if there.holds_token(injection.token_file):
            return _Volume(name, missing=False, has_ca=there.holds_field(CA_FILE))
        if all(_mounts(each, name) or _complete(each, each.variables, injection) for _, each in containers):
            return _Volume(name, missing=False, has_ca=False)  # wired by hand, whatever it is: it is left alone
    return None


def _taken(injection: Injection) -> str:
    return (
        f"volumes {injection.volume} and {SPARE_VOLUME}{injection.volume} of this pod hold something else than the "
        f"token, so it gets no role; rename them"
    )


def _annotation_fits(pod: Pod, injection: Injection) -> bool:
    annotations = pod.annotations
    if injection.ca_annotation in annotations:
        return True
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    return size + len(injection.ca_annotation) + len(injection.ca_bundle.encode()) <= ANNOTATIONS_LIMIT


def _annotation(pod: Pod, injection: Injection, volume: _Volume) -> list[Operation]:
    if volume.missing and volume.has_ca and injection.ca_annotation not in pod.annotations:
        present = pod.metadata.annotations if pod.metadata else None
        return [_member(pod, "annotations", present, injection.ca_annotation, injection.ca_bundle)]
    return []


def _label(pod: Pod, injection: Injection) -> list[Operation]:
    if injection.label is None:
        return []
    key, value = injection.label
    present = pod.metadata.labels if pod.metadata else None
    if present is not None and present.get(key) == value:
        return []
    return [_member(pod, "labels", present, key, value)]


def _member(pod: Pod, field: str, present: dict[str, str] | None, key: str, value: str) -> Operation:
    if pod.metadata is None:
        return _add("/metadata", {field: {key: value}})
    if present is None:
        return _add(f"/metadata/{field}", {key: value})
    return _add(f"/metadata/{field}/{escape(key)}", value)


def _volume_operation(spec: PodSpec, injection: Injection, volume: _Volume) -> list[Operation]:
    if not volume.missing:
        return []
    token: dict[str, Any] = {"expirationSeconds": injection.expiration, "path": injection.token_file}
    if injection.audience:
        token = {"audience": injection.audience, **token}
    sources: list[dict[str, Any]] = [{"serviceAccountToken": token}]
    if volume.has_ca:
        field = {"fieldPath": f"metadata.annotations['{injection.ca_annotation}']"}
        sources.append({"downwardAPI": {"items": [{"path": CA_FILE, "fieldRef": field}]}})
    value = {"name": volume.name, "projected": {"sources": sources}}
    return [_add("/spec/volumes", [value]) if spec.volumes is None else _add("/spec/volumes/0", value)]


def _container(
    path: str, container: Container, pod: Pod, *, injection: Injection, volume: _Volume, warnings: list[str]
) -> list[Operation]:
    present = container.variables
    if _complete(container, present, injection):
        return []
    own_mount = _mounts(container, volume.name)
    by_hand = not own_mount and _mounts(container, injection.volume)
    if not own_mount and not by_hand:
        other = _volume_at(container, injection.mount_path)
        by_hand = other is not None and other in pod.volumes and pod.volumes[other].holds_token(injection.token_file)
        if other is not None and not by_hand:
            warnings.append(
                f"container {container.name} mounts volume {other} at {injection.mount_path}, where the token belongs; "
                f"it gets no role, mount that volume elsewhere"
            )
            return []
    trusted = volume.has_ca and not by_hand
    variables = _variables(present, injection, trusted=trusted)
    if injection.extras and injection.ca_bundle and not trusted:
        warnings.append(
            f"container {container.name} does not get the endpoints of this cluster's own STS, since the volume that "
            f"it mounts for the token has no {CA_FILE} to trust them by"
        )
    operations = _extend(f"{path}/env", container.env, [{"name": name, "value": value} for name, value in variables])
    if not own_mount and not by_hand:
        mount = {"name": volume.name, "readOnly": True, "mountPath": injection.mount_path}
        operations += _extend(f"{path}/volumeMounts", container.volume_mounts, [mount])
    return operations


def _complete(container: Container, present: AbstractSet[str], injection: Injection) -> bool:
    """Whether everything is set that the Go webhook would set: it leaves such a container alone, mount and all."""
    return (
        REGIONAL[0] in present
        and any(name in present for name, _ in injection.identity)
        and any(name in present for name in REGION_NAMES)
        # By ourselves, in an earlier pass, with a variable or a mount still to come? Then it is not somebody's wish.
        and not _mounts(container, injection.volume)
    )


def _variables(present: AbstractSet[str], injection: Injection, *, trusted: bool) -> Variables:
    variables: list[tuple[str, str]] = []
    if injection.regional_sts and REGIONAL[0] not in present:
        variables.append(REGIONAL)
    if injection.region and present.isdisjoint(REGION_NAMES):
        variables += [(name, injection.region) for name in REGION_NAMES]
    if not any(name in present for name, _ in injection.identity):
        variables += injection.identity
    if injection.extras and (trusted or not injection.ca_bundle):
        extras = injection.extras + (injection.ca_variables if injection.ca_bundle else ())
        variables += [pair for pair in extras if pair[0] not in present]
    return tuple(variables)


def _extend(path: str, present: list[Any] | None, values: list[dict[str, Any]]) -> list[Operation]:
    if present is None and values:
        return [_add(path, values)]
    path += "/-"
    return [_add(path, value) for value in values]


def _mounts(container: Container, volume: str) -> bool:
    return volume in [mount.name for mount in container.volume_mounts or ()]


def _volume_at(container: Container, path: str) -> str | None:
    path = path.rstrip("/")
    for mount in container.volume_mounts or ():
        if mount.mount_path.rstrip("/") == path:
            return mount.name
    return None


def _add(path: str, value: Any) -> Operation:  # noqa: ANN401 -- any JSON value
    return {"op": "add", "path": path, "value": value}
