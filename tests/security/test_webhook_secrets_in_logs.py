"""What a pod carries in its variables must not reach the log, neither of a good review nor of a bad one."""

import io
import json
import logging
from typing import Any

import pytest

from irsa.runtime.logs import Formatter
from tests.webhook.pods import ARN, pod, review
from webhook.admission import Admission
from webhook.annotations import Defaults
from webhook.injection import Settings
from webhook.lookup import LiveLookup
from webhook.routes import Reply
from webhook.store import ServiceAccounts

SECRET = "hunter2-in-a-pod"


def logged(question: Any) -> tuple[int, str]:
    """Status, and all that was written."""
    table = ServiceAccounts(Defaults())
    table.set("demo", "app", {"eks.amazonaws.com/role-arn": ARN})
    admission = Admission(table, LiveLookup(None, Defaults(), "never"), Settings)  # type: ignore[arg-type]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        reply = admission.begin(question if isinstance(question, bytes) else json.dumps(question).encode())
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert isinstance(reply, Reply)
    assert SECRET.encode() not in reply.body
    return reply.status, stream.getvalue()


def test_a_variable_of_a_patched_pod() -> None:
    """The line says who and why, not what is in the pod."""
    env = [{"name": "PASSWORD", "value": SECRET}]
    status, text = logged(review(pod(containers=[{"name": "app", "env": env}])))
    assert 200 == status
    assert "pod mutated" in text
    assert SECRET not in text


@pytest.mark.parametrize(
    "question",
    [
        review(pod(containers=SECRET)),
        review(pod(containers=[{"name": "app", "env": SECRET}])),
        review(pod(containers=[{"name": {"x": SECRET}}])),
        review(SECRET),
        review(pod(), uid=[SECRET]),
        json.dumps(review(pod(containers=[{"env": [{"value": SECRET}]}]))).encode()[:-9],
        b'{"request": "' + SECRET.encode() + b'"}',
        SECRET.encode(),
        b'{"' + SECRET.encode() + b'": \xff}',
    ],
    ids=["containers", "env", "name", "object", "uid", "truncated", "request", "bare", "key"],
)
def test_a_review_that_is_refused(question: Any) -> None:
    """The place of the mistake is named, its content is not; the Go webhook logs the whole body."""
    status, text = logged(question)
    assert 400 == status
    assert "HTTP 400" in text
    assert SECRET not in text
