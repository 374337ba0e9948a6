"""ServiceAccounts by the ten thousand, written where the API server keeps them, since its own door takes minutes."""

import base64
import json
import urllib.request
import uuid
from typing import Any

from tests.cluster.apiserver import ApiServer
from tests.webhook.process import ARN

BATCH = 100  # etcd takes 128 operations in a transaction
FILLER = "x" * 1000


def fill(apiserver: ApiServer, namespace: str, count: int, *, compact: bool = False) -> None:
    """`count` ServiceAccounts `filled-N` of 1.5 kB, each with a role; `compact` forgets everything before."""
    for start in range(0, count, BATCH):
        puts = [{"requestPut": _put(namespace, f"filled-{n}")} for n in range(start, min(start + BATCH, count))]
        revision = _etcd(apiserver, "kv/txn", {"success": puts})["header"]["revision"]
    if compact:
        _etcd(apiserver, "kv/compaction", {"revision": revision, "physical": True})


def _put(namespace: str, name: str) -> dict[str, str]:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": "2030-01-01T00:00:00Z",
            "annotations": {"eks.amazonaws.com/role-arn": ARN, "example.com/filler": FILLER},
        },
    }
    key = f"/registry/serviceaccounts/{namespace}/{name}"
    return {"key": _text(key.encode()), "value": _text(json.dumps(account).encode())}


def _etcd(apiserver: ApiServer, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{apiserver._etcd_port}/v3/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- http on loopback
        return json.load(answer)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
