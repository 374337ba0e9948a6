"""What a pod looks like afterwards; every patch is applied by jsonpatch, not by us."""

import json
from typing import Any

import jsonpatch
import msgspec
import pytest

from tests.webhook.pods import ARN, BINDING, MOUNT, patched, pod, review
from webhook import patch
from webhook import review as reviews
from webhook.annotations import RoleBinding
from webhook.injection import Endpoints, Settings

DEFAULT = Settings()
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
LOCAL = Settings(endpoints=Endpoints(sts="https://sts.example", s3="https://s3.example", ca_bundle=CA))
PAIR = [
    {"name": "AWS_ROLE_ARN", "value": ARN},
    {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": f"{MOUNT}/token"},
]
MOUNTED = {"name": "aws-iam-token", "readOnly": True, "mountPath": MOUNT}
TOKEN = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}}
VOLUME = {"name": "aws-iam-token", "projected": {"sources": [TOKEN]}}


def admit(
    subject: dict[str, Any], settings: Settings = DEFAULT, binding: RoleBinding = BINDING
) -> tuple[dict[str, Any], list[str]]:
    """The pod after admission, and the warnings; a second pass must change nothing."""
    question = reviews.read(json.dumps(review(subject)).encode())
    assert question.request is not None
    decision = reviews.decide(question.request, binding, settings)
    response = json.loads(reviews.answer(question, decision))
    result = patched(subject, response)
    again = reviews.read(json.dumps(review(result)).encode())
    assert again.request is not None
    assert [] == reviews.decide(again.request, binding, settings).operations
    return result, response["response"].get("warnings", [])


def test_a_bare_pod_gets_volume_variables_and_mount() -> None:
    """Nothing was there, so the lists are made."""
    result, warnings = admit(pod())
    assert [VOLUME] == result["spec"]["volumes"]
    assert {"name": "app", "image": "example/app", "env": PAIR, "volumeMounts": [MOUNTED]} == result["spec"][
        "containers"
    ][0]
    assert [] == warnings


def test_the_volume_stands_first_and_the_rest_behind() -> None:
    """The order that the Go webhook's pods have."""
    subject = pod(
        volumes=[{"name": "data", "emptyDir": {}}],
        containers=[
            {"name": "app", "env": [{"name": "A", "value": "1"}], "volumeMounts": [{"name": "data", "mountPath": "/d"}]}
        ],
    )
    result, _ = admit(subject, Settings(region="eu-west-1"), RoleBinding(ARN, "sts.amazonaws.com", 86400, True))
    container = result["spec"]["containers"][0]
    assert ["aws-iam-token", "data"] == [volume["name"] for volume in result["spec"]["volumes"]]
    assert ["data", "aws-iam-token"] == [mount["name"] for mount in container["volumeMounts"]]
    assert [
        "A",
        "AWS_STS_REGIONAL_ENDPOINTS",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ] == [variable["name"] for variable in container["env"]]


def test_unknown_fields_survive() -> None:
    """A field that only a future Kubernetes knows comes back untouched."""
    subject = pod(
        futureField={"a": 1},
        initContainers=[{"name": "sidecar", "restartPolicy": "Always", "futureProbe": {"b": [2]}}],
    )
    result, _ = admit(subject)
    sidecar = result["spec"]["initContainers"][0]
    assert ({"a": 1}, "Always", {"b": [2]}) == (
        result["spec"]["futureField"],
        sidecar["restartPolicy"],
        sidecar["futureProbe"],
    )
    assert PAIR == sidecar["env"]


@pytest.mark.parametrize("mine", ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"])
def test_one_of_the_pair_keeps_both_away(mine: str) -> None:
    """A pod that names its own role or token is not mixed with ours; it still gets the mount."""
    result, _ = admit(pod(containers=[{"name": "app", "env": [{"name": mine, "valueFrom": {}}]}]))
    assert [mine] == [variable["name"] for variable in result["spec"]["containers"][0]["env"]]
    assert [MOUNTED] == result["spec"]["containers"][0]["volumeMounts"]


def test_local_endpoints_come_with_the_ca() -> None:
    """The CA travels in an annotation and is projected beside the token."""
    result, _ = admit(pod(), LOCAL)
    assert CA == result["metadata"]["annotations"]["eks.amazonaws.com/ca-bundle"]
    field = {"fieldPath": "metadata.annotations['eks.amazonaws.com/ca-bundle']"}
    projected = {"downwardAPI": {"items": [{"path": "ca.crt", "fieldRef": field}]}}
    assert [TOKEN, projected] == result["spec"]["volumes"][0]["projected"]["sources"]
    assert [
        *PAIR,
        {"name": "AWS_ENDPOINT_URL_STS", "value": "https://sts.example"},
        {"name": "AWS_ENDPOINT_URL_S3", "value": "https://s3.example"},
        {"name": "AWS_CA_BUNDLE", "value": f"{MOUNT}/ca.crt"},
        {"name": "NODE_EXTRA_CA_CERTS", "value": f"{MOUNT}/ca.crt"},
    ] == result["spec"]["containers"][0]["env"]


def test_the_pods_own_endpoint_and_ca_win() -> None:
    """What is there is not added a second time."""
    env = [{"name": "AWS_ENDPOINT_URL_S3", "value": "https://minio"}, {"name": "AWS_CA_BUNDLE", "value": "/my.crt"}]
    result, _ = admit(pod(containers=[{"name": "app", "env": env}]), LOCAL)
    names = [variable["name"] for variable in result["spec"]["containers"][0]["env"]]
    assert names.count("AWS_ENDPOINT_URL_S3") == names.count("AWS_CA_BUNDLE") == 1
    assert "AWS_ENDPOINT_URL_STS" in names


def test_against_real_aws_there_is_no_ca() -> None:
    """Without an STS of our own neither annotation nor CA nor endpoint is given."""
    result, _ = admit(pod(), Settings(endpoints=Endpoints(ca_bundle=CA)))
    assert "annotations" not in result["metadata"]
    assert "AWS_CA_BUNDLE" not in json.dumps(result)


def test_a_foreign_volume_of_our_name_is_not_taken_for_the_token() -> None:
    """The token comes under another name."""
    result, _ = admit(pod(volumes=[{"name": "aws-iam-token", "emptyDir": {}}]))
    assert ["irsa-aws-iam-token", "aws-iam-token"] == [volume["name"] for volume in result["spec"]["volumes"]]
    assert ["irsa-aws-iam-token"] == [mount["name"] for mount in result["spec"]["containers"][0]["volumeMounts"]]


def test_a_volume_and_mount_wired_by_hand_are_left_alone() -> None:
    """Only the variables are added."""
    mount = {"name": "aws-iam-token", "mountPath": "/mine"}
    volumes = [{"name": "aws-iam-token", "emptyDir": {}}]
    result, _ = admit(pod(volumes=volumes, containers=[{"name": "app", "volumeMounts": [mount]}]))
    assert volumes == result["spec"]["volumes"]
    assert [{"name": "app", "volumeMounts": [mount], "env": PAIR}] == result["spec"]["containers"]


def test_a_path_taken_by_another_volume_leaves_the_container_alone() -> None:
    """Two mounts at one path would get the pod rejected; the warning says what to do."""
    mount = {"name": "data", "mountPath": MOUNT + "/"}
    containers = [{"name": "app", "volumeMounts": [mount]}]
    result, warnings = admit(pod(volumes=[{"name": "data", "emptyDir": {}}], containers=containers))
    assert containers == result["spec"]["containers"]
    assert "mounts volume data" in warnings[0]


def test_skipped_containers_are_left_alone_but_the_volume_is_there() -> None:
    """As with the Go webhook."""
    subject = pod()
    subject["metadata"]["annotations"] = {"eks.amazonaws.com/skip-containers": "app"}
    result, _ = admit(subject)
    assert [VOLUME] == result["spec"]["volumes"]
    assert subject["spec"]["containers"] == result["spec"]["containers"]


@pytest.mark.parametrize(
    "spec",
    [
        {"nodeSelector": {"kubernetes.io/os": "windows"}},
        {"nodeSelector": {"beta.kubernetes.io/os": "windows"}},
        {"os": {"name": "windows"}},
    ],
)
def test_windows_containers_read_a_windows_path(spec: dict[str, Any]) -> None:
    """The mount keeps its POSIX path, which the runtime translates."""
    result, _ = admit(pod(**spec))
    container = result["spec"]["containers"][0]
    assert r"C:\var\run\secrets\eks.amazonaws.com\serviceaccount\token" == container["env"][1]["value"]
    assert MOUNT == container["volumeMounts"][0]["mountPath"]


@pytest.mark.parametrize("path", ["/spec/containers/1/env/-", "/spec/nowhere/-", "/spec/containers/x"])
def test_our_own_apply_refuses_what_the_api_server_would_refuse(path: str) -> None:
    """So that a bug becomes HTTP 500 and not a rejected pod."""
    operation = [{"op": "add", "path": path, "value": {}}]
    with pytest.raises(ValueError, match="does not apply"):
        patch.apply(pod(), operation)
    with pytest.raises((jsonpatch.JsonPatchException, jsonpatch.JsonPointerException)):
        jsonpatch.apply_patch(pod(), operation)


def test_null_lists_are_lists_that_are_not_there() -> None:
    """`null` and absent mean the same in the Kubernetes API."""
    result, _ = admit(
        pod(volumes=None, initContainers=None, containers=[{"name": "app", "env": None, "volumeMounts": None}])
    )
    assert msgspec.json.encode([VOLUME]) == msgspec.json.encode(result["spec"]["volumes"])
    assert PAIR == result["spec"]["containers"][0]["env"]


def test_more_containers_than_an_object_can_hold_are_left_alone() -> None:
    """Patched, it would be larger than etcd takes; the warning says why there is no role."""
    result, warnings = admit(pod(containers=[{"name": f"c{number}"} for number in range(4001)]))
    assert "volumes" not in result["spec"]
    assert "4000 containers" in warnings[0]
    assert PAIR == admit(pod(containers=[{"name": f"c{n}"} for n in range(100)]))[0]["spec"]["containers"][99]["env"]
