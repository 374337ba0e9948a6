"""AdmissionReviews in and out."""

import json
from typing import Any

import pytest

from tests.webhook.pods import BINDING, operations, pod, review
from webhook import review as reviews
from webhook.annotations import Unbound
from webhook.injection import Settings
from webhook.store import UNKNOWN, Standing


def answer(question: dict[str, Any], standing: Standing = BINDING) -> dict[str, Any]:
    parsed = reviews.read(json.dumps(question).encode())
    assert parsed.request is not None
    return json.loads(reviews.answer(parsed, reviews.decide(parsed.request, standing, Settings())))


@pytest.mark.parametrize("version", ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"])
def test_the_answer_speaks_the_questions_version(version: str) -> None:
    """apiVersion, kind and uid come back; a patch is JSONPatch in base64."""
    response = answer(review(pod()) | {"apiVersion": version})
    assert (version, "AdmissionReview") == (response["apiVersion"], response["kind"])
    assert "705ab4f5-6393-11e8-b7cc-42010a800002" == response["response"]["uid"]
    assert ("JSONPatch", True) == (response["response"]["patchType"], response["response"]["allowed"])


@pytest.mark.parametrize("standing", [UNKNOWN, Unbound()], ids=["unknown", "unbound"])
def test_without_a_role_the_pod_is_allowed_as_it_is(standing: Standing) -> None:
    """No patch and no warning."""
    assert {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": True} == answer(review(pod()), standing)[
        "response"
    ]


@pytest.mark.parametrize(
    "request_",
    [
        {"operation": "UPDATE"},
        {"operation": "DELETE", "object": None},
        {"subResource": "ephemeralcontainers"},
        {"resource": {"group": "apps", "version": "v1", "resource": "deployments"}},
    ],
    ids=["update", "delete", "subresource", "deployment"],
)
def test_only_the_creation_of_a_pod_is_patched(request_: dict[str, Any]) -> None:
    """Volumes of an existing pod cannot be changed: such a patch would get it rejected."""
    response = answer(review(pod(), **request_))
    assert response["response"]["allowed"]
    assert [] == operations(response)


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "bad content"),
        (b"{}", "bad content"),
        (b'{"request": null}', "bad content"),
        (b"{", "couldn't get version/kind; json parse error"),
        (b"[]", "couldn't get version/kind; json parse error"),
        (b"\xff\xfe", "couldn't get version/kind; json parse error"),
        (b"[" * 5000, "couldn't get version/kind; json parse error"),
        (b'{"request": {"uid": "u"}}', "unexpected end of JSON input"),
        (b'{"request": {"uid": "u", "object": "x"}}', "json: cannot unmarshal string into Go value of type v1.Pod"),
        (b'{"request": {"uid": "u", "object": {"spec": {"containers": "x"}}}}', "containers"),
        (b'{"request": {"uid": 5, "object": {}}}', "uid"),
    ],
)
def test_what_is_no_review_is_refused_in_the_go_webhooks_words(body: bytes, message: str) -> None:
    """The caller's fault, with apiVersion and kind in the answer all the same."""
    with pytest.raises(reviews.Malformed) as problem:
        reviews.read(body)
    response = json.loads(reviews.refusal(problem.value))
    assert message in response["response"]["status"]["message"]
    assert (False, "AdmissionReview") == (response["response"]["allowed"], response["kind"])


def test_the_namespace_is_the_pods_own_where_the_request_names_none() -> None:
    """The Go webhook looks under an empty namespace and finds nothing."""
    parsed = reviews.read(json.dumps(review(pod(), namespace=None)).encode())
    assert parsed.request is not None
    assert ("demo", "app") == reviews.account_of(parsed.request)


@pytest.mark.parametrize(
    "spec, name",
    [({"serviceAccountName": None, "serviceAccount": "old"}, "old"), ({"serviceAccountName": ""}, "default")],
)
def test_the_service_account_follows_the_api_servers_own_rule(spec: dict[str, Any], name: str) -> None:
    """The name, then its deprecated alias, then `default`."""
    parsed = reviews.read(json.dumps(review(pod(**spec))).encode())
    assert parsed.request is not None
    assert name == reviews.account_of(parsed.request)[1]
