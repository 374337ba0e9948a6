"""The patch that gives a pod its identity.

Only additions, and only what is missing: a container is never sent back whole, since a field that we do not know would
be lost. What the pod already has wins. `plan(apply(pod, plan(pod, injection)), injection)` is empty, so a second
admission pass changes nothing.

The order of everything is the Go webhook's: volume first in the list; in each container the STS mode, the region's
pair, the identity's pair, then what only we add, then the mount.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from webhook.injection import ANNOTATIONS_LIMIT, CA_FILE, Injection, Variables
from webhook.model import Container, Operation, Pod

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
    containers = [each for each in _containers(pod) if each[1].name not in injection.skip]
    volume = _volume(pod, injection, [container for _, container in containers])
    if volume is None:
        return Plan([], (_taken(injection),))
    operations = [
        *_annotation(pod, injection, volume),
        *_label(pod, injection),
        *_volume_operation(pod, injection, volume),
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
        *parents, last = (_unescape(token) for token in operation["path"].split("/")[1:])
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
    metadata, spec = pod.metadata, pod.spec
    found: dict[str, Any] = {}
    if metadata is not None:
        found["metadata"] = _there(labels=metadata.labels, annotations=metadata.annotations)
    if spec is not None:
        found["spec"] = _there(
            volumes=_blank(spec.volumes),
            containers=_outlines(spec.containers),
            initContainers=_outlines(spec.init_containers),
        )
    return found


def _there(**members: "list[Any] | dict[str, str] | None") -> dict[str, Any]:
    return {name: value.copy() for name, value in members.items() if value is not None}


def _blank(values: list[Any] | None) -> list[None] | None:
    return None if values is None else [None] * len(values)


def _outlines(containers: list[Container] | None) -> list[dict[str, Any]] | None:
    if containers is None:
        return None
    return [_there(env=_blank(each.env), volumeMounts=_blank(each.volume_mounts)) for each in containers]


def escape(token: str) -> str:
    """A key as one token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _containers(pod: Pod) -> Iterator[tuple[str, Container]]:
    # Ephemeral containers cannot be there at creation, and may not mount what the pod lacks.
    assert pod.spec is not None  # noqa: S101 -- `plan` looked
    for key, containers in (("containers", pod.spec.containers), ("initContainers", pod.spec.init_containers)):
        for index, container in enumerate(containers or ()):
            yield f"/spec/{key}/{index}", container


def _volume(pod: Pod, injection: Injection, containers: list[Container]) -> _Volume | None:
    volumes = pod.volumes
    fits = injection.ca_bundle != "" and _annotation_fits(pod, injection)
    for name in (injection.volume, SPARE_VOLUME + injection.volume):
        there = volumes.get(name)
        if there is None:
            return _Volume(name, missing=True, has_ca=fits)
        if there.holds_token(injection.token_file):
            return _Volume(name, missing=False, has_ca=there.holds_field(CA_FILE))
        if all(_mounts(container, name) or _complete(container, injection) for container in containers):
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


def _annotation(pod: Pod, injection: Injection, volume: _Volume) -> Iterator[Operation]:
    if volume.missing and volume.has_ca and injection.ca_annotation not in pod.annotations:
        present = pod.metadata.annotations if pod.metadata else None
        yield from _member(pod, "annotations", present, injection.ca_annotation, injection.ca_bundle)


def _label(pod: Pod, injection: Injection) -> Iterator[Operation]:
    if injection.label is None:
        return
    key, value = injection.label
    present = pod.metadata.labels if pod.metadata else None
    if present is None or present.get(key) != value:
        yield from _member(pod, "labels", present, key, value)


def _member(pod: Pod, field: str, present: dict[str, str] | None, key: str, value: str) -> Iterator[Operation]:
    if pod.metadata is None:
        yield _add("/metadata", {field: {key: value}})
    elif present is None:
        yield _add(f"/metadata/{field}", {key: value})
    else:
        yield _add(f"/metadata/{field}/{escape(key)}", value)


def _volume_operation(pod: Pod, injection: Injection, volume: _Volume) -> Iterator[Operation]:
    if not volume.missing:
        return
    token: dict[str, Any] = {"expirationSeconds": injection.expiration, "path": injection.token_file}
    if injection.audience:
        token = {"audience": injection.audience, **token}
    sources: list[dict[str, Any]] = [{"serviceAccountToken": token}]
    if volume.has_ca:
        field = {"fieldPath": f"metadata.annotations['{injection.ca_annotation}']"}
        sources.append({"downwardAPI": {"items": [{"path": CA_FILE, "fieldRef": field}]}})
    value = {"name": volume.name, "projected": {"sources": sources}}
    assert pod.spec is not None  # noqa: S101 -- `plan` looked
    yield _add("/spec/volumes", [value]) if pod.spec.volumes is None else _add("/spec/volumes/0", value)


def _container(
    path: str, container: Container, pod: Pod, *, injection: Injection, volume: _Volume, warnings: list[str]
) -> Iterator[Operation]:
    if _complete(container, injection):
        return
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
            return
    trusted = volume.has_ca and not by_hand
    variables = _variables(container, injection, trusted=trusted)
    if injection.extras and injection.ca_bundle and not trusted:
        warnings.append(
            f"container {container.name} does not get the endpoints of this cluster's own STS, since the volume that "
            f"it mounts for the token has no {CA_FILE} to trust them by"
        )
    yield from _extend(f"{path}/env", container.env, [{"name": name, "value": value} for name, value in variables])
    if not own_mount and not by_hand:
        mount = {"name": volume.name, "readOnly": True, "mountPath": injection.mount_path}
        yield from _extend(f"{path}/volumeMounts", container.volume_mounts, [mount])


def _complete(container: Container, injection: Injection) -> bool:
    """Whether everything is set that the Go webhook would set: it leaves such a container alone, mount and all."""
    return (
        any(container.has_variable(name) for name, _ in injection.identity)
        and any(container.has_variable(name) for name in REGION_NAMES)
        and container.has_variable(REGIONAL[0])
        # By ourselves, in an earlier pass, with a variable or a mount still to come? Then it is not somebody's wish.
        and not _mounts(container, injection.volume)
    )


def _variables(container: Container, injection: Injection, *, trusted: bool) -> Variables:
    variables: list[tuple[str, str]] = []
    if injection.regional_sts and not container.has_variable(REGIONAL[0]):
        variables.append(REGIONAL)
    if injection.region and not any(container.has_variable(name) for name in REGION_NAMES):
        variables += [(name, injection.region) for name in REGION_NAMES]
    if not any(container.has_variable(name) for name, _ in injection.identity):
        variables += injection.identity
    if injection.extras and (trusted or not injection.ca_bundle):
        extras = injection.extras + (injection.ca_variables if injection.ca_bundle else ())
        variables += [pair for pair in extras if not container.has_variable(pair[0])]
    return tuple(variables)


def _extend(path: str, present: list[Any] | None, values: list[dict[str, Any]]) -> Iterator[Operation]:
    if present is None and values:
        yield _add(path, values)
    else:
        yield from (_add(f"{path}/-", value) for value in values)


def _mounts(container: Container, volume: str) -> bool:
    return any(mount.name == volume for mount in container.volume_mounts or ())


def _volume_at(container: Container, path: str) -> str | None:
    path = path.rstrip("/")
    return next((mount.name for mount in container.volume_mounts or () if mount.mount_path.rstrip("/") == path), None)


def _add(path: str, value: Any) -> Operation:  # noqa: ANN401 -- any JSON value
    return {"op": "add", "path": path, "value": value}
