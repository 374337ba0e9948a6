"""Pods, reviews and answers for tests, as an API server writes them."""

import base64
import copy
import json
from typing import Any

import jsonpatch

from webhook.annotations import Defaults, RoleBinding, Unbound, read_service_account

ARN = "arn:aws:iam::111122223333:role/s3-reader"
MOUNT = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
BINDING = RoleBinding(ARN, "sts.amazonaws.com", 86400, False)


def pod(**spec: Any) -> dict[str, Any]:
    """A pod of ServiceAccount demo/app with one container, as it is before admission."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app", "namespace": "demo"},
        "spec": {"serviceAccountName": "app", "containers": [{"name": "app", "image": "example/app"}], **spec},
    }


def review(subject: Any, **request: Any) -> dict[str, Any]:
    """The AdmissionReview of a pod's creation."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "app",
            "namespace": "demo",
            "operation": "CREATE",
            "userInfo": {"username": "admin", "uid": "1", "groups": ["system:masters"]},
            "object": subject,
            "oldObject": None,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
            **request,
        },
    }


def operations(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The patch in an AdmissionReview's answer."""
    encoded = response["response"].get("patch")
    return json.loads(base64.b64decode(encoded)) if encoded else []


def patched(subject: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """The pod after the patch, applied by somebody else's implementation."""
    return jsonpatch.apply_patch(copy.deepcopy(subject), operations(response))


def annotated(annotations: dict[str, str], **defaults: Any) -> RoleBinding | Unbound:
    """What a ServiceAccount demo/app with these annotations gives its pods."""
    keyed = {f"eks.amazonaws.com/{key}": value for key, value in annotations.items()}
    return read_service_account("demo/app", keyed, Defaults(**defaults))
