"""A release in a real cluster, and what a test sees of it."""

import json
import tempfile
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.chart.helm import CHART, LOCAL
from tests.cluster.cluster import Cluster
from tests.cluster.waiting import wait_until

BUCKETS = """
import boto3, json, os
caller = boto3.client("sts").get_caller_identity()["Arn"]
names = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
print(json.dumps({"caller": caller, "buckets": names, "endpoint": os.environ["AWS_ENDPOINT_URL_STS"]}))
"""


@dataclass(frozen=True)
class Release:
    """The chart in a namespace of a cluster, with the local AWS.

    Attributes:
        image: `REGISTRY/REPOSITORY:TAG` of ours.
        provider: how the STS knows the cluster's issuer: members of an OpenIDConnectProvider beside its Url.
        values: beside those of values-local.yaml, by dotted path.
    """

    cluster: Cluster
    image: str
    namespace: str
    provider: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def install(self, **more: object) -> None:
        """`helm upgrade --install --wait`; `more` are values too, with a double underscore for the dot."""
        registry, _, rest = self.image.partition("/")
        repository, _, tag = rest.rpartition(":")
        image = {"image.registry": registry, "image.repository": repository, "image.tag": tag}
        given = {**image, **self.values, **{path.replace("__", "."): value for path, value in more.items()}}
        sets = [part for path, value in given.items() for part in ("--set-json", f"{path}={json.dumps(value)}")]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as accounts:
            accounts.write(yaml.safe_dump(self.accounts()))
            accounts.flush()
            self.cluster.helm(
                *("upgrade", "--install", "irsa", CHART, "--namespace", self.namespace, "--create-namespace"),
                *("--values", LOCAL, "--set-file", f"sts.accountsFile={accounts.name}", *sets),
                *("--wait", "--timeout", "150s"),
            )

    def uninstall(self) -> None:
        """`helm uninstall --wait`."""
        self.cluster.helm("uninstall", "irsa", "--namespace", self.namespace, "--ignore-not-found", "--wait")

    def accounts(self) -> dict[str, Any]:
        """One account whose role `reader` trusts the ServiceAccount `reader` of the namespace `*-pods`."""
        issuer = self.cluster.issuer.removeprefix("https://")
        trust = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{issuer}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{issuer}:aud": "sts.amazonaws.com",
                    f"{issuer}:sub": f"system:serviceaccount:{self.pods}:reader",
                }
            },
        }
        rights = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
        role = {
            "RoleName": "reader",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "RolePolicyList": [
                {"PolicyName": "list", "PolicyDocument": {"Version": "2012-10-17", "Statement": [rights]}}
            ],
        }
        provider = {"Url": self.cluster.issuer, "ClientIDList": ["sts.amazonaws.com"], **self.provider}
        account = {"AccountId": "111122223333", "OpenIDConnectProviders": [provider], "RoleDetailList": [role]}
        return {"Accounts": [account]}

    @property
    def pods(self) -> str:
        """The namespace of the pods."""
        return f"{self.namespace}-pods"

    def prepare_pods(self) -> None:
        """The pods' namespace and its annotated ServiceAccount."""
        prefix = self.values.get("webhook.annotationPrefix", "eks.amazonaws.com")
        role = {f"{prefix}/role-arn": "arn:aws:iam::111122223333:role/reader"}
        account = {
            "kind": "ServiceAccount",
            "metadata": {"name": "reader", "namespace": self.pods, "annotations": role},
        }
        namespace = {"kind": "Namespace", "metadata": {"name": self.pods}}
        items = [{"apiVersion": "v1", **each} for each in (namespace, account)]
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))

    def admitted(self, image: str, name: str = "dry") -> dict[str, Any]:
        """What the API server makes of a pod of `reader`, without one being started."""
        pod = json.dumps(self.pod(image, name, "pass"))
        answer = self.cluster.kubectl("create", "--dry-run=server", "--output=json", "-f", "-", stdin=pod)
        found: dict[str, Any] = json.loads(answer)
        return found

    def buckets(self, image: str, name: str) -> dict[str, Any]:
        """What a pod with nothing but boto3 sees of the local AWS."""
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(self.pod(image, name, BUCKETS)))
        path = f"/api/v1/namespaces/{self.pods}/pods/{name}"
        ended = ("Succeeded", "Failed")
        wait_until(f"pod {name} ends", lambda: self.cluster.client.get(path)["status"].get("phase") in ended, 90)
        printed = self.cluster.kubectl("logs", "--namespace", self.pods, name)
        assert "Succeeded" == self.cluster.client.get(path)["status"]["phase"], printed
        seen: dict[str, Any] = json.loads(printed)
        return seen

    def pod(self, image: str, name: str, program: str) -> dict[str, Any]:
        """A manifest that knows nothing of roles."""
        container = {"name": "app", "image": image, "imagePullPolicy": "Never", "command": ["python3", "-c", program]}
        spec = {"serviceAccountName": "reader", "restartPolicy": "Never", "containers": [container]}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": self.pods},
            "spec": spec,
        }


def variables(pod: dict[str, Any]) -> dict[str, str]:
    """The environment of a pod's only container."""
    return {each["name"]: each["value"] for each in pod["spec"]["containers"][0].get("env", [])}


def everything(cluster: Cluster, namespace: str) -> set[str]:
    """`kind/name` of all that a namespace holds and of all that none does, save what comes and goes by itself."""
    passing = {"events", "events.events.k8s.io", "componentstatuses"}
    found: set[str] = set()
    for scope in ("true", "false"):
        listed = cluster.kubectl("api-resources", "--verbs=list", f"--namespaced={scope}", "--output=name").split()
        kinds = ",".join(sorted(set(listed) - passing))
        where = ("--namespace", namespace) if scope == "true" else ()
        found |= set(cluster.kubectl("get", kinds, *where, "--output=name").split())
    return found
