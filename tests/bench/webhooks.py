"""The webhooks that are compared: ours, kopf's own admission path, and any other binary that `PEER=/path` names.

All are processes of their own on one API server, with the same certificate; `kopf` is this project's reference handler
behind kopf's own server. And the reviews that they are asked, as an API server sends them.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import harness
from tests.cluster import apiserver, pki
from tests.webhook import rules
from tests.webhook.pods import pod, review

KOPF = "kopf's own path"
OURS = "irsa webhook"
AUTHORITY = pki.Authority()
PACKAGES = ("kopf", "aiohttp", "httptools", "msgspec", "uvloop")

SIZES = {"4 kB": (1, 4), "64 kB": (8, 40)}  # containers, and variables in each, that make a review of that size
UID = "7f3a9f6e-2a55-4d0c-9c1c-0d6a8a2b1c11"
API_MOUNT = ("kube-api-access-x7k2p", "/var/run/secrets/kubernetes.io/serviceaccount")
NAMESPACE = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
API_ACCESS = [
    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {"downwardAPI": {"items": [NAMESPACE]}},
]


def body(size: str, namespace: str) -> bytes:
    """The review of a Deployment's pod that gets a role, as the API server sends it, defaults and managedFields set."""
    containers, variables = SIZES[size]
    made = [_container(f"app-{number}", variables) for number in range(containers)]
    token = {"name": "kube-api-access-x7k2p", "projected": {"defaultMode": 420, "sources": API_ACCESS}}
    subject = pod(
        serviceAccountName="filled-0",
        serviceAccount="filled-0",
        containers=made,
        volumes=[{"name": "data", "emptyDir": {}}, token],
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
        tolerations=[
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("not-ready", "unreachable")
        ],
        priority=0,
        enableServiceLinks=True,
        preemptionPolicy="PreemptLowerPriority",
    )
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app-7d4b9c6f5d", "uid": UID, "controller": True}
    labels = {"app.kubernetes.io/name": "app", "pod-template-hash": "7d4b9c6f5d"}
    subject["metadata"] = {
        "generateName": "app-7d4b9c6f5d-",
        "namespace": namespace,
        "uid": UID,
        "creationTimestamp": "2030-01-01T00:00:00Z",
        "labels": labels,
        "ownerReferences": [{**owner, "blockOwnerDeletion": True}],
    }
    fields = {"f:metadata": _owned({"labels": labels}), "f:spec": _owned(subject["spec"])}
    manager = {
        "manager": "kube-controller-manager",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
    }
    subject["metadata"]["managedFields"] = [{**manager, "time": "2030-01-01T00:00:00Z", "fieldsV1": fields}]
    return json.dumps(review(subject, namespace=namespace), separators=(",", ":")).encode()


def _container(name: str, variables: int) -> dict[str, Any]:
    return {
        "name": name,
        "image": "registry.example/team/application:1.2.3",
        "env": [{"name": f"SETTING_{each}", "value": "x" * 40} for each in range(variables)],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": API_MOUNT[0], "readOnly": True, "mountPath": API_MOUNT[1]},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def _owned(value: dict[str, Any]) -> dict[str, Any]:
    """Who wrote what, in FieldsV1's form; lists by their key."""
    fields: dict[str, Any] = {}
    for key, content in value.items():
        if isinstance(content, dict):
            fields[f"f:{key}"] = _owned(content)
        elif isinstance(content, list) and key != "tolerations":
            items = {f'k:{{"name":"{each.get("name", "")}"}}': {".": {}, **_owned(each)} for each in content}
            fields[f"f:{key}"] = {".": {}, **items}
        else:
            fields[f"f:{key}"] = {}
    return fields


def commands(server: apiserver.ApiServer, folder: Path) -> dict[str, list[str]]:
    """The webhooks to compare, by name, without their ports."""
    pair = AUTHORITY.server("localhost")
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)
    files = [
        f"--kubeconfig={server.kubeconfig}",
        "--in-cluster=false",
        f"--tls-cert={folder}/tls.crt",
        f"--tls-key={folder}/tls.key",
    ]
    found = {
        OURS: [sys.executable, "-m", "webhook", *files, "--webhook-configuration-name=", "--lame-duck=0s"],
        KOPF: [sys.executable, "-m", "tests.bench.kopf_server", *files],
    }
    if peer := os.environ.get("PEER"):
        found["peer"] = [*peer.split(), *files]
    return found


@contextlib.contextmanager
def running(name: str, command: list[str], folder: Path) -> Iterator[tuple[int, int]]:
    """A webhook that answers: its process and its port."""
    port, metrics = harness.free_port(), harness.free_port()
    with harness.started([*command, f"--port={port}", f"--metrics-port={metrics}"], folder / f"{name}.log") as process:
        ready = ("/readyz", metrics, False) if name == OURS else ("/healthz", port, True)
        if name != KOPF:
            harness.eventually(lambda: harness.answers(ready[1], ready[0], tls=ready[2]), f"{name} ready", 120)
        yield process.pid, port


def patched(port: int, question: bytes) -> bool:
    """Whether a review is answered with a patch."""
    try:
        return b'"patch"' in rules.ask(port, question)[1]
    except OSError:
        return False


@contextlib.contextmanager
def place() -> Iterator[tuple[apiserver.ApiServer, Path]]:
    """An API server of its own and a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "api"
        folder.mkdir()
        with apiserver.serve(folder) as server:
            yield server, Path(name)
