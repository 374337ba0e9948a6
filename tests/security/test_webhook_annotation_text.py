"""Annotation values that try to be more than text: operations of the patch, lines of the log, variables of the pod.

Whoever may annotate a ServiceAccount, or write a pod, gets that very text into one value, and nothing else.
"""

import json
from typing import Any

import pytest

from irsa.runtime.logs import Formatter
from tests.webhook.pods import annotated, operations, patched, pod, review
from webhook import review as reviews
from webhook.injection import Settings

TEXTS = {
    "a quote and an operation": 'arn"},{"op":"replace","path":"/spec/containers/0/image","value":"evil"}]',
    "a line of the log": 'x\n{"level":"info","message":"pod mutated","reason":"role"}',
    "control characters": "x\r\x00\x1b[2J\x7f",
    "line separators": "x\u2028\u2029\x85",
    "half a surrogate's escape": "\\ud800",
    "a closing brace in base64": "In19XX0=",
}


def admitted(subject: dict[str, Any], annotations: dict[str, str]) -> dict[str, Any]:
    question = reviews.read(json.dumps(review(subject)).encode())
    assert question.request is not None
    decision = reviews.decide(question.request, annotated(annotations), Settings())
    return json.loads(reviews.answer(question, decision))  # type: ignore[no-any-return]


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_role_is_one_value_whatever_it_says(text: str) -> None:
    """The patch has the operations that a good role gives, and the text stands in one variable."""
    answer, good = (
        admitted(pod(), {"role-arn": text}),
        admitted(pod(), {"role-arn": "arn:aws:iam::111122223333:role/x"}),
    )
    assert [each["path"] for each in operations(good)] == [each["path"] for each in operations(answer)]
    assert text == patched(pod(), answer)["spec"]["containers"][0]["env"][0]["value"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_an_audience_is_one_value_whatever_it_says(text: str) -> None:
    """It asks for a token of that audience, which the API server signs or refuses."""
    answer = admitted(pod(), {"role-arn": "arn:aws:iam::111122223333:role/x", "audience": text})
    volume = patched(pod(), answer)["spec"]["volumes"][0]
    assert text == volume["projected"]["sources"][0]["serviceAccountToken"]["audience"]
    assert 1 == len(volume["projected"]["sources"])


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
@pytest.mark.parametrize("key", ["skip-containers", "token-expiration", "role-arn", "x\ny"])
def test_a_pods_annotations_change_nothing_but_what_they_are_for(key: str, text: str) -> None:
    """The pod's container still gets the ServiceAccount's role, and nothing of the text is anywhere new."""
    subject = pod()
    subject["metadata"]["annotations"] = {f"eks.amazonaws.com/{key}": text}
    role = "arn:aws:iam::111122223333:role/s3-reader"
    result = patched(subject, admitted(subject, {"role-arn": role}))
    assert role == result["spec"]["containers"][0]["env"][0]["value"]
    assert subject["metadata"] == result["metadata"]
    assert json.dumps(text) not in json.dumps(result["spec"])


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_log_entry_stays_one_line(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """The forged line is inside a string of the real one."""
    from irsa.runtime.logs import Log

    with caplog.at_level("INFO"):
        Log("test").info("pod mutated", reason="role", detail=text, pod=text)
    written = Formatter().format(caplog.records[-1])
    assert 1 == len(written.splitlines()) or "\n" not in written
    assert (text, "pod mutated") == (json.loads(written)["detail"], json.loads(written)["message"])


@pytest.mark.parametrize("text", ["$(DATABASE_PASSWORD)", "arn:$(AWS_REGION)$(X)", "$$(X)", "$"])
def test_no_other_variable_is_put_into_a_role(text: str) -> None:
    """Kubelet puts variables where a value says `$(NAME)`: a role would carry a secret of the container to STS.

    `$$` is its way to write `$`, so the container sees just what the annotation says.
    """
    secret = {"name": "DATABASE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
    subject = pod(containers=[{"name": "app", "env": [secret]}])
    env = patched(subject, admitted(subject, {"role-arn": text}))["spec"]["containers"][0]["env"]
    value = next(each["value"] for each in env if each["name"] == "AWS_ROLE_ARN")
    assert text == value.replace("$$", "$")
    assert "$(" not in value.replace("$$", "")
