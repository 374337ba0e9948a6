"""The rotation drill on a real cluster of its own: pods ask STS for credentials all the time, and not one is refused.

What `docs/oidc.md` tells an operator to do is done here by hand: static pod manifest, kube-system restarted,
everything. Compressed: tokens of 600 seconds, pods restarted instead of outlived, vanished keys kept for 20 seconds.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jwt
import pytest

from tests.cluster import kind, pki
from tests.cluster.client import ApiError
from tests.cluster.cluster import Cluster
from tests.e2e.kind import NAMESPACE, Installed, wait

PLACE = "quickstart"  # the namespace that the quickstart's trust policies name
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
PKI = "/etc/kubernetes/pki"
TIMES = "--poll=1s,--max-age=10s"
LEAD = 35  # seconds; our STS asks for an unknown kid every 30 s at most

# A pod's program: assume the role with the token of the moment, four times a second, and tell what came of it.
CLIENT = """
import boto3, collections, json, os, time, base64
from botocore import UNSIGNED
from botocore.config import Config
sts = boto3.client("sts", config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 4}))
seen = collections.Counter()
while True:
    token = open(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).read()
    head = token.split(".")[0]
    kid = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    try:
        sts.assume_role_with_web_identity(
            RoleArn=os.environ["AWS_ROLE_ARN"], RoleSessionName="drill", WebIdentityToken=token)
        seen[kid] += 1
    except Exception as problem:
        print("FAILED", kid, problem, flush=True)
    if sum(seen.values()) % 8 == 0:
        print("SEEN", json.dumps(seen), flush=True)
    time.sleep(0.25)
"""


@dataclass
class Drill:
    """A cluster with irsa in it, whose key is rotated."""

    irsa: Installed

    @property
    def cluster(self) -> Cluster:
        return self.irsa.cluster

    def client(self, name: str) -> None:
        """A pod that asks STS all the time."""
        pod = self.irsa.pod(PLACE, name, "reader")
        pod["metadata"]["annotations"] = {"eks.amazonaws.com/token-expiration": "600"}
        pod["spec"]["containers"][0]["command"] = ["python3", "-c", CLIENT]
        self.irsa.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
        self.irsa.ready(PLACE, name)
        wait(lambda: bool(self.told(name)[0]), 60, f"{name} has credentials")

    def told(self, name: str) -> tuple[dict[str, int], list[str]]:
        """How often it got credentials by kid, and each failure."""
        lines = self.irsa.kubectl("logs", "-n", PLACE, name).splitlines()
        seen = [line.removeprefix("SEEN ") for line in lines if line.startswith("SEEN ")]
        return json.loads(seen[-1]) if seen else {}, [line for line in lines if line.startswith("FAILED")]

    def keys(self, *arguments: str, stdin: str | None = None) -> Any:
        """`irsa keys` in a pod of the keeper, as an operator without the command at hand would call it."""
        command = ("python3", "-m", "irsa", "keys", *arguments, "--output=json")
        where = ("exec", "-i", "-n", NAMESPACE, "deployment/irsa-keys", "--")
        return json.loads(self.irsa.kubectl(*where, *command, stdin=stdin or ""))

    def states(self) -> dict[str, str]:
        return {row["kid"]: row["state"] for row in self.keys("list")}

    def published(self) -> set[str]:
        """The keys that a pod of ours serves, asked through the API server's own proxy."""
        path = f"/api/v1/namespaces/{NAMESPACE}/services/https:irsa-oidc:443/proxy/openid/v1/jwks"
        return {key["kid"] for key in json.loads(self.irsa.kubectl("get", "--raw", path))["keys"]}

    def refresh_mounts(self) -> None:
        """Have kubelet look at the ledger now and not within its minute: a changed pod is synchronised at once."""
        self.irsa.kubectl(
            "annotate", "pod", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=oidc", "--overwrite",
            f"test/now={time.time()}",
        )  # fmt: skip

    def signer(self) -> str:
        """The kid of a token made now; empty while the API server is restarted."""
        try:
            token = self.cluster.token(PLACE, "reader", seconds=600)
        except (OSError, ApiError):
            return ""
        return str(jwt.get_unverified_header(token)["kid"])

    def restart_all_pods(self) -> None:
        """Every pod's tokens are new then, those by which it speaks to the API server too."""
        self.cluster.node("pkill", "-x", "kube-controller")  # the kernel keeps fifteen letters of a program's name
        self.cluster.node("pkill", "-x", "kube-scheduler")
        for namespace in ("kube-system", NAMESPACE):
            names = self.irsa.kubectl("get", "deployments,daemonsets", "-n", namespace, "-o", "name").split()
            for name in names:
                self.irsa.kubectl("rollout", "restart", "-n", namespace, name)
            for name in names:
                self.irsa.kubectl("rollout", "status", "-n", namespace, name, "--timeout=180s")


@contextmanager
def a_cluster(name: str) -> Iterator[Cluster]:
    """A kind cluster of our own: what is done to its API server is not for the others."""
    cluster = kind.up(name)
    try:
        yield cluster
    finally:
        kind.delete(cluster)


@pytest.mark.kind
@pytest.mark.timeout(1200)
def test_the_clusters_key_is_rotated_and_no_pod_is_refused() -> None:
    """Stage, switch, restart, remove: every request for credentials succeeds, and the old key goes."""
    with a_cluster("irsa-rotation") as cluster:
        irsa = Installed(cluster)
        irsa.install(
            "--set", "keys.enabled=true,keys.replicas=1", "--set", f"oidc.extraArgs={{{TIMES}}}",
            "--set", f"keys.extraArgs={{{TIMES},--retain=20s,--lead={LEAD}s}}",
        )  # fmt: skip
        irsa.namespace(PLACE)
        irsa.account(PLACE, "reader")
        rotate(Drill(irsa))


def rotate(drill: Drill) -> None:
    """The runbook."""
    old = drill.signer()
    drill.client("before")
    new = stage(drill, old)
    switch(drill)
    wait(lambda: drill.signer() == new, 180, "the API server signs with the new key")
    drill.client("after")
    assert {new} == set(drill.told("after")[0])
    # 4. Pods are restarted instead of outlived.
    drill.restart_all_pods()
    seen, failures = drill.told("before")
    assert ([], {old}) == (failures, set(seen))
    drill.irsa.kubectl("delete", "pod", "-n", PLACE, "before", "--now")
    remove(drill, old, new)
    seen_after, failures = drill.told("after")
    assert ([], {new}) == (failures, set(seen_after))
    assert min(seen[old], seen_after[new]) > 50


def stage(drill: Drill, old: str) -> str:
    """1, 2. A key is made where the API server's keys are, and its public half published ahead."""
    private = pki.signing_key()
    public = pki.public_key(private).decode()
    drill.cluster.node("sh", "-c", f"umask 077; cat > {PKI}/sa-new.key", stdin=private.decode())
    drill.cluster.node("sh", "-c", f"cat > {PKI}/sa-new.pub", stdin=public)
    new = str(drill.keys("stage", "-", stdin=public)["kid"])
    drill.refresh_mounts()
    wait(lambda: drill.published() == {old, new}, 120, "the next key is published")
    published = time.monotonic()
    wait(lambda: time.monotonic() - published > LEAD, LEAD + 10, "every cache has it")
    return new


def switch(drill: Drill) -> None:
    """3. The API server signs with the new key, and verifies both."""
    signs = f"s#signing-key-file=.*#signing-key-file={PKI}/sa-new.key#"
    verifies = f"/--service-account-key-file=/a\\    - --service-account-key-file={PKI}/sa-new.pub"
    drill.cluster.node("sed", "-i", "-e", signs, "-e", verifies, MANIFEST)


def remove(drill: Drill, old: str, new: str) -> None:
    """5. The old key is taken from the API server; it stays published for its time, and goes."""
    drill.cluster.node("sed", "-i", "-e", f"\\#--service-account-key-file={PKI}/sa.pub#d", MANIFEST)
    wait(lambda: drill.states().get(old) in {"retiring", "gone"}, 180, "the keeper misses the old key")
    wait(lambda: drill.states() == {old: "gone", new: "current"}, 120, "the old key's time is over")
    drill.refresh_mounts()
    wait(lambda: drill.published() == {new}, 120, "the old key is published no more")
