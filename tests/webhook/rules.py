"""The numbered rules of compatibility as data (`rules/*.yaml`), and how a webhook is asked about them.

A case gives flags, what the ServiceAccount demo/app says (`annotations`; null: there is none), ConfigMap, Pod Identity
file or EC2 instance where it needs them, and a pod; `expect` is the pod afterwards, or `unchanged`. Where the Go
webhook does something else, because we count it as a defect, `peer` says what and why. `~` in an expected value is
anything.
"""

import base64
import copy
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonpatch
import yaml

RULES = Path(__file__).parent / "rules"
PREFIX = "eks.amazonaws.com/"
ROLE = {"role-arn": "arn:aws:iam::111122223333:role/s3-reader"}


@dataclass(frozen=True)
class Case:
    """One case of one rule."""

    rule: str
    name: str
    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.rule}: {self.name}"

    @property
    def annotations(self) -> dict[str, str] | None:
        """The ServiceAccount's annotations with their prefix; None: there is no ServiceAccount."""
        found = self.data.get("annotations", ROLE)
        return None if found is None else {key if "/" in key else PREFIX + key: value for key, value in found.items()}

    @property
    def setting(self) -> str:
        """What a process has to be started with; cases of equal setting share one."""
        return json.dumps([self.data.get(key) for key in ("flags", "config_map", "identities", "instance")])

    @property
    def review(self) -> dict[str, Any]:
        """The question."""
        pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(self.data["pod"])}
        return {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "namespace": "demo",
                "operation": "CREATE",
                "object": pod,
                **self.data.get("request", {}),
            },
        }

    def expected(self, *, peer: bool) -> Any:
        """The pod afterwards."""
        wanted = self.data["expect"]
        if peer and "peer" in self.data:
            wanted = self.data["peer"]["expect"]
        return self.data["pod"] if wanted == "unchanged" else wanted


def load() -> Iterator[Case]:
    """Every case of every rule."""
    for path in sorted(RULES.glob("*.yaml")):
        for case in yaml.safe_load(path.read_text()):
            yield Case(path.stem, case["name"], case)


def after(case: Case, answer: Mapping[str, Any]) -> Any:
    """The pod of `case` after a webhook's answer, applied by jsonpatch; a refusal is the text of its message."""
    response = answer["response"]
    if not response["allowed"]:
        return f"refused: {response.get('status', {}).get('message', '')}"
    pod = case.review["request"]["object"]
    if "patch" in response:
        pod = jsonpatch.apply_patch(pod, json.loads(base64.b64decode(response["patch"])))
    return {key: value for key, value in pod.items() if key not in {"apiVersion", "kind"}}


def matches(seen: Any, wanted: Any) -> bool:
    """Whether they are equal, `~` standing for anything."""
    if wanted == "~":
        return True
    if isinstance(seen, dict) and isinstance(wanted, dict):
        return seen.keys() == wanted.keys() and all(matches(seen[key], wanted[key]) for key in seen)
    if isinstance(seen, list) and isinstance(wanted, list):
        return len(seen) == len(wanted) and all(map(matches, seen, wanted))
    return bool(seen == wanted)


def pruned(value: Any) -> Any:
    """Without what is empty: the Go webhook sends containers back with fields that were not there."""
    if isinstance(value, dict):
        return {key: kept for key, each in value.items() if (kept := pruned(each)) not in ({}, [], None, "")}
    return [pruned(each) for each in value] if isinstance(value, list) else value


def ask(port: int, body: bytes) -> tuple[int, bytes]:
    """Status and body of a review sent to a webhook on loopback."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    try:
        connection.request("POST", "/mutate", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
