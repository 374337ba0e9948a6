"""The kind cluster is a whole one: it signs for our issuer, pods run, Services balance, names resolve, images load."""

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.cluster import Cluster

TWO_ENDPOINTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: echo
          image: IMAGE
          imagePullPolicy: Never
          command: [sh, -c, "mkdir /tmp/w && hostname > /tmp/w/name && exec python3 -m http.server -d /tmp/w 8000"]
          readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {selector: {app: echo}, ports: [{port: 80, targetPort: 8000}]}
"""
ASK = """
import json, time, urllib.request
names, end = set(), time.monotonic() + 60
while len(names) < 2 and time.monotonic() < end:
    try:
        names.add(urllib.request.urlopen("http://echo/name", timeout=5).read().decode().strip())
    except OSError:
        time.sleep(0.2)
print(json.dumps(sorted(names)))
"""  # asked again and again: kube-proxy learns of the Service and its endpoints after the Deployment is complete


def run_pod(cluster: Cluster, namespace: str, name: str, image: str, program: str) -> str:
    """What a Python program prints in a pod of its own."""
    container = {"name": name, "image": image, "imagePullPolicy": "Never", "args": ["-c", program]}
    pod = {"metadata": {"name": name}, "spec": {"restartPolicy": "Never", "containers": [container]}}
    cluster.client.create(f"/api/v1/namespaces/{namespace}/pods", pod)
    cluster.kubectl("-n", namespace, "wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=90s")
    return cluster.kubectl("-n", namespace, "logs", name)


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own; gone afterwards."""
    name = f"harness-{abs(hash(request.node.name)) % 10**8}"
    cluster.client.create("/api/v1/namespaces", {"metadata": {"name": name}})
    cluster.kubectl("-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_tokens_are_signed_for_our_issuer_only(cluster: Cluster) -> None:
    """Discovery names our issuer and our key address, and the API server takes no token that is meant for STS."""
    document = cluster.client.get("/.well-known/openid-configuration")
    assert "https://irsa-oidc.irsa-system.svc" == document["issuer"]
    assert "https://irsa-oidc.irsa-system.svc/openid/v1/jwks" == document["jwks_uri"]
    token = cluster.token("default", "default", "sts.amazonaws.com")
    review = cluster.client.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert "authenticated" not in review["status"]
    assert "audience" in review["status"]["error"]


def test_the_node_reaches_services(cluster: Cluster) -> None:
    """As the API server must, which runs in the node's network, to call an admission webhook."""
    if cluster.docker is None:
        pytest.skip("CLUSTER= names a cluster whose nodes are not ours to enter")
    address = cluster.client.get("/api/v1/namespaces/kube-system/services/kube-dns")["spec"]["clusterIP"]
    assert "coredns_build_info" in cluster.node("curl", "-sS", "--max-time", "10", f"http://{address}:9153/metrics")


def test_a_service_balances_over_two_endpoints(cluster: Cluster, demo_image: str, namespace: str) -> None:
    """A pod that asks a ClusterIP again and again is answered by both endpoints, each with its own body."""
    manifests = TWO_ENDPOINTS.replace("IMAGE", demo_image)
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=manifests)
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/echo", "--timeout=90s")
    pods = cluster.client.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3Decho")["items"]
    answered = json.loads(run_pod(cluster, namespace, "ask", demo_image, ASK))
    assert sorted(pod["metadata"]["name"] for pod in pods) == answered


def test_a_bucket_is_a_name_of_the_sts_service(cluster: Cluster) -> None:
    """CoreDNS is told that a virtual-hosted bucket is the STS Service."""
    corefile = cluster.client.get("/api/v1/namespaces/kube-system/configmaps/coredns")["data"]["Corefile"]
    assert r"name regex ^.+\.irsa-sts\.irsa-system\.svc" in corefile


def test_the_demo_image_has_nothing_but_boto3(cluster: Cluster, demo_image: str, namespace: str) -> None:
    """The demo's pod runs as nobody and cannot import any of our packages, nor pip."""
    program = """
import importlib.util, json, os
found = [name for name in ("boto3", "irsa", "sts", "webhook", "moto", "pip") if importlib.util.find_spec(name)]
print(json.dumps([os.getuid(), found]))
"""
    assert [65532, ["boto3"]] == json.loads(run_pod(cluster, namespace, "look", demo_image, program))


def test_the_kubeconfig_is_the_harness_own(cluster: Cluster) -> None:
    """The cluster's kubeconfig is a file of its own with a single context."""
    assert 1 == len(yaml.safe_load(cluster.kubeconfig.read_text())["contexts"])
