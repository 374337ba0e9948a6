"""The stand-in for kubelet runs pods of a real API server: their tokens, files and status are real."""

import json

import jwt
import pytest

from tests.cluster import kubelet
from tests.cluster.apiserver import ApiServer
from tests.cluster.podspec import MissingError

LOOK = """
import json, os
token = open(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).read()
bundle = open(os.environ["AWS_CA_BUNDLE"]).read()
print(json.dumps({"token": token, "bundle": bundle, "variables": sorted(os.environ)}))
"""
MOUNT = "/var/run/secrets/eks.amazonaws.com/serviceaccount"


def pod(program: str, **spec: object) -> dict[str, object]:
    """A pod as the webhook would leave it: a token and a CA bundle in one projected volume."""
    annotation = "metadata.annotations['eks.amazonaws.com/ca-bundle']"
    sources = [
        {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}},
        {"downwardAPI": {"items": [{"path": "ca.crt", "fieldRef": {"fieldPath": annotation}}]}},
    ]
    container = {
        "name": "app",
        "image": "localhost/irsa-demo:dev",
        "args": ["-c", program],
        "env": [
            {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": f"{MOUNT}/token"},
            {"name": "AWS_CA_BUNDLE", "value": f"{MOUNT}/ca.crt"},
        ],
        "volumeMounts": [{"name": "aws-iam-token", "mountPath": MOUNT, "readOnly": True}],
    }
    volume = {"name": "aws-iam-token", "projected": {"sources": sources}}
    metadata = {"name": "p", "annotations": {"eks.amazonaws.com/ca-bundle": "PEM"}}
    return {"metadata": metadata, "spec": {"containers": [container], "volumes": [volume], **spec}}


def admitted(apiserver: ApiServer, manifest: dict[str, object]) -> str:
    """The namespace in which the API server has taken a pod."""
    namespace = apiserver.namespace()
    apiserver.client.create(f"/api/v1/namespaces/{namespace}/pods", manifest)
    return namespace


def test_a_pod_finds_its_token_and_bundle(apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command reads a token that the API server signed for this very pod, and the annotation as a file."""
    monkeypatch.setenv("AWS_PROFILE", "of the person who runs the tests")
    namespace = admitted(apiserver, pod(LOOK))
    outcome = kubelet.run(apiserver.client, namespace, "p")
    seen = json.loads(outcome.log)
    claims = jwt.decode(seen["token"], options={"verify_signature": False})
    assert f"system:serviceaccount:{namespace}:default" == claims["sub"]
    assert outcome.pod["metadata"]["uid"] == claims["kubernetes.io"]["pod"]["uid"]
    assert "PEM" == seen["bundle"]
    assert "AWS_PROFILE" not in seen["variables"]


def test_the_status_tells_how_it_ended(apiserver: ApiServer) -> None:
    """`kubectl get pod` shows the phase, the exit code and the end of the log."""
    namespace = admitted(apiserver, pod("import sys; sys.exit('no such bucket')"))
    assert "Failed" == kubelet.run(apiserver.client, namespace, "p").phase
    status = json.loads(apiserver.kubectl("-n", namespace, "get", "pod", "p", "-o", "json"))["status"]
    terminated = status["containerStatuses"][0]["state"]["terminated"]
    assert ("Failed", 1, "no such bucket\n") == (status["phase"], terminated["exitCode"], terminated["message"])


def test_a_failed_init_container_ends_the_pod(apiserver: ApiServer) -> None:
    """Containers are not started after an init container has failed."""
    first = {"name": "first", "image": "none", "command": ["false"]}
    namespace = admitted(apiserver, pod("print('never')", initContainers=[first]))
    outcome = kubelet.run(apiserver.client, namespace, "p")
    assert {"first": 1} == outcome.exit_codes


def test_a_command_that_does_not_end_is_killed(apiserver: ApiServer) -> None:
    """Its exit code is that of timeout(1)."""
    namespace = admitted(apiserver, pod("import time; time.sleep(600)"))
    assert {"app": 124} == kubelet.run(apiserver.client, namespace, "p", seconds=0.5).exit_codes


def test_a_missing_config_map_is_named(apiserver: ApiServer) -> None:
    """Where kubelet would wait for ever, the stand-in says for what."""
    volumes = [{"name": "aws-iam-token", "configMap": {"name": "none"}}]
    namespace = admitted(apiserver, pod("", volumes=volumes))
    with pytest.raises(MissingError, match=f"there is no none among the configmaps of {namespace}"):
        kubelet.run(apiserver.client, namespace, "p")
