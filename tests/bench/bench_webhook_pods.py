"""What a webhook adds to the time that a real API server takes to create a pod; one client, one pod after the other."""

import base64
import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.bench import harness, webhooks
from tests.cluster.apiserver import ApiServer
from tests.webhook.process import CONFIGURATIONS
from tests.webhook.scale import fill

ROUNDS, PODS = 6, 100
NOBODY = "no webhook"


def main() -> None:
    """A table: percentiles over all rounds, which take turns."""
    print(harness.machine(*webhooks.PACKAGES))
    with webhooks.place() as (server, folder), contextlib.ExitStack() as stack:
        namespaces = {NOBODY: server.namespace()}
        for name, command in webhooks.commands(server, folder).items():
            namespaces[name] = server.namespace()
            _, port = stack.enter_context(webhooks.running(name, command, folder))
            # Released versions of the Go webhook answer no v1 review that an API server would take.
            _register(server, namespaces[name], port, "v1beta1" if name == "peer" else "v1")
        for namespace in namespaces.values():
            fill(server, namespace, 1)
        connection = stack.enter_context(contextlib.closing(_connect(server.kubeconfig)))
        for name, namespace in namespaces.items():
            harness.eventually(lambda where=namespace, who=name: _create(connection, where)[1] is (who != NOBODY), name)
        times: dict[str, list[float]] = {name: [] for name in namespaces}
        for _ in range(ROUNDS):
            for name, namespace in namespaces.items():
                for _ in range(PODS):
                    took, patched = _create(connection, namespace)
                    assert patched is (name != NOBODY), name
                    times[name].append(took)
    title = f"Creation of a pod, {ROUNDS * PODS} each"
    print(harness.table(title, ("server", "p50 ms", "p99 ms", "p50 more", "p99 more"), list(_rows(times))), flush=True)


def _register(server: ApiServer, namespace: str, port: int, version: str) -> None:
    bundle = base64.b64encode(webhooks.AUTHORITY.certificate).decode()
    webhook = {
        "name": "bench.webhook.test",
        "clientConfig": {"url": f"https://localhost:{port}/mutate", "caBundle": bundle},
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": [version],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    }
    server.client.create(CONFIGURATIONS, {"metadata": {"name": f"bench-{namespace}"}, "webhooks": [webhook]})


def _connect(kubeconfig: Path) -> http.client.HTTPSConnection:
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    pair = kubeconfig.with_suffix(".pair")
    pair.write_bytes(b"".join(base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key")))
    context.load_cert_chain(pair)
    return http.client.HTTPSConnection(cluster["server"].removeprefix("https://"), context=context, timeout=30)


def _create(connection: http.client.HTTPSConnection, namespace: str) -> tuple[float, bool]:
    # Seconds, and whether the pod has a role.
    spec = {"serviceAccountName": "filled-0", "containers": [{"name": "app", "image": "example/app"}]}
    body = json.dumps({"metadata": {"generateName": "app-"}, "spec": spec})
    began = time.perf_counter()
    connection.request("POST", f"/api/v1/namespaces/{namespace}/pods", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    took = time.perf_counter() - began
    if answer.status != http.HTTPStatus.CREATED:
        raise RuntimeError(f"{answer.status}: {content[:300]!r}")
    return took, b"AWS_ROLE_ARN" in content


def _rows(times: dict[str, list[float]]) -> Iterator[list[str]]:
    base: list[float] = []
    for name, found in times.items():
        ordered = sorted(found)
        here = [ordered[int(len(ordered) * part)] * 1e3 for part in (0.5, 0.99)]
        base = base or here
        more = ["" if name == NOBODY else f"{one - other:+.2f}" for one, other in zip(here, base, strict=True)]
        yield [name, *(f"{each:.2f}" for each in here), *more]
