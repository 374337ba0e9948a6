"""A pod that claims another namespace, ServiceAccount or role than the one it is made with."""

import base64
import json
from typing import Any

import pytest

from tests.webhook.pods import pod, review
from webhook.admission import Admission
from webhook.annotations import Defaults
from webhook.injection import Settings
from webhook.lookup import LiveLookup
from webhook.routes import Reply
from webhook.store import ServiceAccounts

ADMIN = "arn:aws:iam::111122223333:role/admin"
MINE = "arn:aws:iam::111122223333:role/mine"
KEY = "eks.amazonaws.com/role-arn"


def role(subject: dict[str, Any], **request: Any) -> str:
    """The role that a pod gets; `mine` has demo/app, `admin` has prod/app and demo/admin."""
    table = ServiceAccounts(Defaults())
    for namespace, name, given in (("demo", "app", MINE), ("prod", "app", ADMIN), ("demo", "admin", ADMIN)):
        table.set(namespace, name, {KEY: given})
    admission = Admission(table, LiveLookup(None, Defaults(), "never"), Settings)  # type: ignore[arg-type]
    reply = admission.begin(json.dumps(review(subject, **request)).encode())
    assert isinstance(reply, Reply)
    patch = base64.b64decode(json.loads(reply.body)["response"].get("patch", "")).decode()
    return ADMIN if ADMIN in patch else MINE if MINE in patch else ""


def test_the_requests_namespace_holds() -> None:
    """What the pod's own metadata says is a wish of its author; the API server says where it will be."""
    subject = pod()
    subject["metadata"]["namespace"] = "prod"
    assert MINE == role(subject)


def test_the_deprecated_name_does_not_win() -> None:
    """The API server runs the pod under `serviceAccountName`."""
    assert MINE == role(pod(serviceAccount="admin"))


@pytest.mark.parametrize("key", ["annotations", "labels"])
def test_a_role_on_the_pod_is_nothing(key: str) -> None:
    """Only a ServiceAccount has one: whoever may make pods may not choose among roles."""
    subject = pod()
    subject["metadata"][key] = {KEY: ADMIN}
    assert MINE == role(subject)


@pytest.mark.parametrize("user", ["system:serviceaccount:demo:admin", "system:serviceaccount:prod:app"])
def test_who_makes_the_pod_does_not_count(user: str) -> None:
    """The maker's own ServiceAccount gives the pod nothing."""
    assert MINE == role(pod(), userInfo={"username": user, "extra": {KEY: [ADMIN]}})


def test_the_object_counts_and_not_the_old_one() -> None:
    """Nor anything beside it."""
    other = pod(serviceAccountName="admin")
    assert MINE == role(pod(), oldObject=other, options=other)


@pytest.mark.parametrize("name", ["App", "app ", "app\u0000", "APP", "*", "app/../admin"])
def test_a_name_that_only_looks_alike_is_another(name: str) -> None:
    """Names are compared byte by byte; the ConfigMap's `*` is nobody's name."""
    assert "" == role(pod(serviceAccountName=name))
