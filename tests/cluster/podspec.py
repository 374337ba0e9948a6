"""What a container of a pod is to find: files of its volumes, variables; the part of kubelet that only thinks.

Look-ups (tokens, ConfigMaps, Secrets) are arguments. What a pod uses and is not built here is an error, never left out
silently. The rules are Kubernetes' own, of projected volumes and of the downward API:
https://kubernetes.io/docs/concepts/storage/projected-volumes/ and
https://kubernetes.io/docs/concepts/workloads/pods/downward-api/.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


class UnsupportedError(Exception):
    """The pod uses something that this stand-in for kubelet does not do."""


class MissingError(Exception):
    """The pod refers to an object, a key or a field that is not there; kubelet would wait for it."""


@dataclass(frozen=True)
class Lookups:
    """Where the content of volumes and variables comes from; each raises `MissingError` where there is none.

    Attributes:
        token: (audience or "", seconds) -> a token of the pod's ServiceAccount, bound to the pod.
        config_map: name -> its data.
        secret: name -> its data, as the API has it (base64).
    """

    token: Callable[[str, int], str]
    config_map: Callable[[str], Mapping[str, str]]
    secret: Callable[[str], Mapping[str, str]]


def field(pod: Json, path: str) -> str:
    """The value of a `fieldRef`."""
    subscript = re.fullmatch(r"metadata\.(annotations|labels)\['(.+)'\]", path)
    if subscript:
        return str((pod["metadata"].get(subscript[1]) or {}).get(subscript[2], ""))
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(pod["metadata"][path.partition(".")[2]])
        case "metadata.annotations" | "metadata.labels":
            values = pod["metadata"].get(path.partition(".")[2]) or {}
            return "\n".join(f'{key}="{value}"' for key, value in sorted(values.items()))
        case "spec.serviceAccountName" | "spec.nodeName":
            return str(pod["spec"].get(path.partition(".")[2], ""))
        case "status.podIP" | "status.hostIP":
            return "127.0.0.1"
        case _:
            raise UnsupportedError(f"fieldRef {path}")


def files(pod: Json, volume: Json, lookups: Lookups) -> dict[str, bytes]:
    """Relative path -> content, for one volume of a pod."""
    match {key: value for key, value in volume.items() if key != "name"}:
        case {"projected": source}:
            return {path: data for each in source["sources"] for path, data in _source(pod, each, lookups).items()}
        case {"emptyDir": _}:
            return {}
        case {"secret": source}:
            return _source(pod, {"secret": {**source, "name": source["secretName"]}}, lookups)
        case {"configMap": _} | {"downwardAPI": _} as source:
            return _source(pod, source, lookups)
        case other:
            raise UnsupportedError(f"volume {volume['name']}: {', '.join(other)}")


def _source(pod: Json, source: Json, lookups: Lookups) -> dict[str, bytes]:
    match source:
        case {"serviceAccountToken": wanted}:
            token = lookups.token(wanted.get("audience", ""), wanted.get("expirationSeconds", 3600))
            return {wanted["path"]: token.encode()}
        case {"downwardAPI": wanted}:
            return {item["path"]: _downward(pod, item).encode() for item in wanted.get("items", [])}
        case {"configMap": wanted}:
            return _items({key: text.encode() for key, text in _found(lookups.config_map, wanted).items()}, wanted)
        case {"secret": wanted}:
            return _items({key: base64.b64decode(text) for key, text in _found(lookups.secret, wanted).items()}, wanted)
        case other:
            raise UnsupportedError(f"projected source {', '.join(other)}")


def _downward(pod: Json, item: Json) -> str:
    if "fieldRef" not in item:
        raise UnsupportedError(f"downwardAPI item {item['path']} without fieldRef")
    return field(pod, item["fieldRef"]["fieldPath"])


def _found(lookup: Callable[[str], Mapping[str, str]], wanted: Json) -> Mapping[str, str]:
    try:
        return lookup(wanted["name"])
    except MissingError:
        if wanted.get("optional"):
            return {}
        raise


def _items(data: Mapping[str, bytes], wanted: Json) -> dict[str, bytes]:
    if "items" not in wanted:
        return dict(data)
    missing = [item["key"] for item in wanted["items"] if item["key"] not in data]
    if missing and not wanted.get("optional"):
        raise MissingError(f"{wanted['name']} has no key {', '.join(missing)}")
    return {item["path"]: data[item["key"]] for item in wanted["items"] if item["key"] in data}


def variables(pod: Json, container: Json, lookups: Lookups) -> dict[str, str]:
    """A container's environment; `$(NAME)` refers to what stands before it in the list."""
    values: dict[str, str] = {}
    for source in container.get("envFrom", []):
        kind = "configMap" if "configMapRef" in source else "secret"
        data = _source(pod, {kind: source[f"{kind}Ref"]}, lookups)
        values |= {source.get("prefix", "") + key: text.decode() for key, text in data.items()}
    for entry in container.get("env", []):
        value = _value_from(pod, entry, lookups) if "valueFrom" in entry else expand(entry.get("value", ""), values)
        if value is not None:
            values[entry["name"]] = value
    return values


def _value_from(pod: Json, entry: Json, lookups: Lookups) -> str | None:
    """The value of a variable that refers to something; None where an optional key is missing."""
    match entry["valueFrom"]:
        case {"fieldRef": wanted}:
            return field(pod, wanted["fieldPath"])
        case {"configMapKeyRef": wanted} | {"secretKeyRef": wanted}:
            kind = "configMap" if "configMapKeyRef" in entry["valueFrom"] else "secret"
            reference = {**wanted, "items": [{"key": wanted["key"], "path": "value"}]}
            data = _source(pod, {kind: reference}, lookups)
            return data["value"].decode() if data else None
        case other:
            raise UnsupportedError(f"variable {entry['name']} from {', '.join(other)}")


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by the variable, where there is one; `$$(NAME)` is a literal `$(NAME)`."""

    def replacement(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        return values.get(match[1], match[0])

    return re.sub(r"\$?\$\(([^)]*)\)", replacement, text)


def moved(text: str, places: Mapping[str, str]) -> str:
    """`text` with each mount path in it (as a whole, or followed by `/`) replaced by where its files really are."""
    for mount, place in sorted(places.items(), key=lambda pair: -len(pair[0])):
        text = re.sub(rf"(?<![\w/.-]){re.escape(mount.rstrip('/'))}(?![\w.-])", lambda _, to=place: to, text)  # type: ignore[misc]
    return text
