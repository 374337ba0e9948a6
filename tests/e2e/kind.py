"""irsa in a real cluster, installed as README says: the chart, `values-local.yaml`, the quickstart's accounts."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster import images
from tests.cluster.cluster import Cluster
from tests.cluster.problems import ClusterError
from tests.cluster.waiting import wait_until

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "irsa"
ACCOUNTS = ROOT / "examples" / "quickstart" / "accounts.yaml"
NAMESPACE = "irsa-system"
COMPONENTS = ("webhook", "oidc", "sts")
ACCOUNT = "111122223333"
READER = f"arn:aws:iam::{ACCOUNT}:role/s3-reader"


class Installed:
    """irsa in a cluster, and what tests do with it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.kubectl = cluster.kubectl
        self.image = images.in_cluster(cluster, images.LOCAL)
        self.demo_image = images.in_cluster(cluster, images.DEMO)

    def install(self, *options: str | Path, accounts: Path = ACCOUNTS) -> str:
        """`helm upgrade --install … --wait`; returns what helm prints."""
        repository, _, tag = self.image.rpartition(":")
        registry, _, repository = repository.partition("/")
        return self.cluster.helm(
            *("upgrade", "--install", "irsa", CHART, "--namespace", NAMESPACE, "--create-namespace"),
            *("--values", CHART / "values-local.yaml", "--set-file", f"sts.accountsFile={accounts}"),
            *("--set", f"image.registry={registry},image.repository={repository},image.tag={tag}"),
            *("--wait", "--timeout", "180s", *options),
        )

    def uninstall(self) -> None:
        """`helm uninstall`, and wait until the pods are gone."""
        self.cluster.helm("uninstall", "irsa", "--namespace", NAMESPACE, "--ignore-not-found", "--wait")

    def rollout(self, component: str) -> None:
        """Wait until a component's Deployment is what its specification says."""
        self.kubectl("rollout", "status", "-n", NAMESPACE, f"deployment/irsa-{component}", "--timeout=120s")

    def scale(self, component: str, replicas: int) -> None:
        """Give a component so many pods, and wait until the others are gone."""
        self.kubectl("scale", "-n", NAMESPACE, f"deployment/irsa-{component}", f"--replicas={replicas}")
        if replicas:
            self.rollout(component)
        else:
            selector = f"app.kubernetes.io/component={component}"
            self.kubectl("wait", "-n", NAMESPACE, "pod", "-l", selector, "--for=delete", "--timeout=60s")

    def namespace(self, name: str) -> str:
        """An empty namespace."""
        self.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait")
        self.kubectl("create", "namespace", name)
        wait(lambda: "default" in self.kubectl("get", "sa", "-n", name, "-o", "name"), 30, "the default ServiceAccount")
        return name

    def account(self, namespace: str, name: str, role: str = READER) -> None:
        """A ServiceAccount with a role, made as README says."""
        self.kubectl("create", "serviceaccount", name, "-n", namespace)
        self.kubectl("annotate", "serviceaccount", name, "-n", namespace, f"eks.amazonaws.com/role-arn={role}")

    def pod(self, namespace: str, name: str, account: str, **changes: Any) -> dict[str, Any]:
        """The manifest of a pod with boto3 that waits to be told what to do."""
        container = {
            "name": "app",
            "image": self.demo_image,
            "command": ["python3", "-c", "import time; time.sleep(3600)"],
        }
        spec = {"serviceAccountName": account, "terminationGracePeriodSeconds": 0, "containers": [container], **changes}
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    def start(self, namespace: str, name: str, account: str) -> None:
        """Such a pod, running."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(self.pod(namespace, name, account)))
        self.ready(namespace, name)

    def ready(self, namespace: str, name: str) -> str:
        """Wait until a pod is."""
        return self.kubectl("wait", "-n", namespace, f"pod/{name}", "--for=condition=Ready", "--timeout=120s")

    def python(self, namespace: str, pod: str, program: str, *arguments: str) -> str:
        """What a Python program prints that runs in the pod."""
        return self.kubectl("exec", "-n", namespace, pod, "--", "python3", "-c", program, *arguments)

    def get(self, *arguments: str) -> Any:
        """`kubectl get … -o json`."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def logs(self, component: str) -> str:
        """All that a component's containers have written."""
        return self.cluster.logs(NAMESPACE, f"app.kubernetes.io/component={component}")


def variables(pod: dict[str, Any]) -> dict[str, str]:
    """The environment of a pod's first container."""
    return {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0].get("env", [])}


def wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `condition` holds; an API server that is away does not hold it."""

    def holds() -> bool:
        with contextlib.suppress(ClusterError):
            return condition()
        return False

    wait_until(what, holds, seconds)
