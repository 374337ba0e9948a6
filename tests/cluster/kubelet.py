"""A small stand-in for kubelet: runs a pod of a real API server as local processes, without nodes or containers.

The pod went through real admission, and its token is a real one, bound to it by TokenRequest. What is missing is the
container: the command is a process of this machine that finds its volumes elsewhere, so mount paths in variables and
arguments are replaced by the folders that hold the files. Users, limits, probes and token renewal are not imitated.
What a pod asks for beyond `podspec` is an error.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import cache, podspec
from tests.cluster.client import ApiError, Client

NOT_FOUND = 404
MESSAGE_BYTES = 2048  # of the log, in the status, as terminationMessagePolicy FallbackToLogsOnError has it
# What the images of containers that name no command would run.
ENTRYPOINTS = {"localhost/irsa-demo": [sys.executable], "localhost/irsa": [sys.executable, "-m", "irsa"]}


@dataclass(frozen=True)
class Outcome:
    """What became of a pod.

    Attributes:
        phase: `Succeeded` or `Failed`, as in its status.
        exit_codes: by container, of those that were run.
        logs: by container, standard output and error.
        pod: the object as it was admitted.
    """

    phase: str
    exit_codes: Mapping[str, int]
    logs: Mapping[str, str]
    pod: Mapping[str, Any]

    @property
    def log(self) -> str:
        """All logs, one after the other."""
        return "".join(self.logs.values())


def run(
    client: Client,
    namespace: str,
    name: str,
    *,
    environment: Mapping[str, str] | None = None,
    entrypoints: Mapping[str, list[str]] | None = None,
    seconds: float = 60,
) -> Outcome:
    """Run a pod's init containers and containers, one after the other, and write its status.

    Args:
        client: of an administrator.
        namespace: the pod's.
        name: the pod's.
        environment: what the images would bring; this process's own variables are not inherited.
        entrypoints: image, with or without its tag -> what it runs; `ENTRYPOINTS` where it is not named.
        seconds: after which a container is killed.

    Raises:
        podspec.UnsupportedError, podspec.MissingError: the pod needs what cannot be given.
    """
    pod = client.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    known = {**ENTRYPOINTS, **(entrypoints or {})}
    inherited = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", **(environment or {})}
    lookups = lookups_of(client, pod)
    codes: dict[str, int] = {}
    logs: dict[str, str] = {}
    with _volumes(pod, lookups) as volumes:
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            mounts = container.get("volumeMounts", [])
            places = {mount["mountPath"]: str(volumes[mount["name"]] / mount.get("subPath", "")) for mount in mounts}
            given = podspec.variables(pod, container, lookups)
            variables = {name: podspec.moved(value, places) for name, value in given.items()}
            command = [podspec.moved(podspec.expand(part, given), places) for part in _command(container, known)]
            code, log = _process(command, {**inherited, **variables}, container.get("workingDir"), seconds)
            codes[container["name"]], logs[container["name"]] = code, log
            if code:
                break
    outcome = Outcome("Failed" if any(codes.values()) else "Succeeded", codes, logs, pod)
    client.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": _status(outcome)})
    return outcome


@contextmanager
def _volumes(pod: Mapping[str, Any], lookups: podspec.Lookups) -> Iterator[dict[str, Path]]:
    """A folder for each volume of the pod, filled."""
    with cache.scratch() as folder:
        places = {}
        for volume in pod["spec"].get("volumes", []):
            place = places[volume["name"]] = folder / volume["name"]
            place.mkdir()
            for path, content in podspec.files(pod, volume, lookups).items():
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                (place / path).write_bytes(content)
                (place / path).chmod(0o600)
        yield places


def lookups_of(client: Client, pod: Mapping[str, Any]) -> podspec.Lookups:
    """Look-ups by the API server, as kubelet makes them for a pod."""
    namespace = pod["metadata"]["namespace"]

    def data_of(kind: str) -> Callable[[str], Mapping[str, str]]:
        def look_up(name: str) -> Mapping[str, str]:
            try:
                return dict(client.get(f"/api/v1/namespaces/{namespace}/{kind}/{name}").get("data") or {})
            except ApiError as problem:
                if problem.status != NOT_FOUND:
                    raise
                raise podspec.MissingError(f"there is no {name} among the {kind} of {namespace}") from problem

        return look_up

    def token(audience: str, seconds: int) -> str:
        bound = {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        audiences = [audience] if audience else []
        spec = {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": bound}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{pod['spec']['serviceAccountName']}/token"
        answer = client.create(path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
        return str(answer["status"]["token"])

    return podspec.Lookups(token, data_of("configmaps"), data_of("secrets"))


def _command(container: Mapping[str, Any], entrypoints: Mapping[str, list[str]]) -> list[str]:
    if "command" in container:
        return [*container["command"], *container.get("args", [])]
    image = container["image"]
    entrypoint = entrypoints.get(image) or entrypoints.get(image.rpartition(":")[0])
    if entrypoint is None:
        raise podspec.UnsupportedError(f"container {container['name']}: no command, and {image} is no image of ours")
    return [*entrypoint, *container.get("args", [])]


def _process(
    arguments: list[str], environment: Mapping[str, str], place: str | None, seconds: float
) -> tuple[int, str]:
    """Exit code (124 where it was killed for its time, 127 where there is no such program) and log."""
    try:
        done = subprocess.run(
            arguments,
            env=environment,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as missing:
        return 127, f"{missing}\n"
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace")
    return done.returncode, done.stdout.decode(errors="replace")


def _status(outcome: Outcome) -> dict[str, Any]:
    def state(name: str, code: int) -> dict[str, Any]:
        message = outcome.logs[name][-MESSAGE_BYTES:]
        terminated = {"exitCode": code, "reason": "Error" if code else "Completed", "message": message}
        return {
            "name": name,
            "image": images[name],
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": terminated},
        }

    spec = outcome.pod["spec"]
    images = {each["name"]: each["image"] for each in [*spec.get("initContainers", []), *spec["containers"]]}
    first = {each["name"] for each in spec.get("initContainers", [])}
    states = [state(name, code) for name, code in outcome.exit_codes.items()]
    return {
        "phase": outcome.phase,
        "initContainerStatuses": [each for each in states if each["name"] in first],
        "containerStatuses": [each for each in states if each["name"] not in first],
    }
