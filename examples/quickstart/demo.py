"""`make demo`: from nothing to a pod that lists S3 buckets by its role, and three that are refused.

Where a container runtime can be had it is played on a kind cluster; otherwise on a real API server, with the servers
and the pods as processes of this machine, and it says so. Exit code 0 only if everything came out as told; 2 where
something that is needed is missing.
"""

import argparse
import contextlib
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from examples.quickstart import story
from tests.cluster import kind, kubelet
from tests.cluster.problems import ClusterError, UnavailableError
from tests.e2e import kind as on_kind
from tests.e2e import local as beside_apiserver

ACCOUNTS = Path(__file__).with_name("accounts.yaml")


class KindStage:
    """A kind cluster with irsa installed by helm."""

    def __init__(self, installed: on_kind.Installed) -> None:
        self._installed = installed
        self.image = installed.demo_image

    def kubectl(self, *arguments: str, manifest: str | None = None) -> str:
        """Run kubectl with `manifest` as its standard input."""
        return self._installed.kubectl(*arguments, stdin=manifest)

    def ready(self, pod: str) -> str:
        """Wait until kubelet says that it is."""
        return self._installed.ready(story.NAMESPACE, pod)

    def python(self, pod: str, program: str, *arguments: str) -> str:
        """Run a Python program in the pod."""
        return self._installed.python(story.NAMESPACE, pod, program, *arguments)


class LocalStage:
    """An API server; a stand-in for kubelet runs its pods as processes.

    It runs a pod's command to its end and has no `exec`, so each program is the command of a further pod that is
    admitted under the same ServiceAccount.
    """

    def __init__(self, local: beside_apiserver.Local) -> None:
        self._local = local
        self._numbers = itertools.count(1)
        self.image = "localhost/irsa-demo:dev"  # a name only: this machine's own Python and boto3 are used

    def kubectl(self, *arguments: str, manifest: str | None = None) -> str:
        """Run kubectl with `manifest` as its standard input."""
        return self._local.api.kubectl(*arguments, stdin=manifest)

    def ready(self, pod: str) -> str:
        """Nothing runs yet: its programs will, one by one."""
        return f"pod/{pod} admitted"

    def python(self, pod: str, program: str, *arguments: str) -> str:
        """Run a Python program as the command of a pod with the same ServiceAccount."""
        account = json.loads(self.kubectl("get", "pod", "-n", story.NAMESPACE, pod, "-o", "json"))["spec"][
            "serviceAccountName"
        ]
        name = f"{pod}-{next(self._numbers)}"
        manifest = story.manifest(name, account, self.image)
        manifest["spec"]["containers"][0]["command"] = [sys.executable, "-c", program, *arguments]
        self.kubectl("create", "-f", "-", manifest=json.dumps(manifest))
        outcome = kubelet.run(self._local.api.client, story.NAMESPACE, name)
        if outcome.phase != "Succeeded":
            raise ClusterError(f"pod {name} failed:\n{outcome.log}")
        return outcome.log


@contextlib.contextmanager
def stage(say: story.Narrator, wanted: str) -> Iterator[story.Stage]:
    """The best stage that this machine can give."""
    if wanted != "apiserver" and (on_nodes := kind_stage_if_possible(say, wanted)):
        yield on_nodes
        return
    say.step("In place of a cluster: a real API server, and pods as processes of this machine")
    say.seen("No container runtime is used. Admission, tokens, RBAC, STS and gateway are the real ones;")
    say.seen("what kubelet does (token, CA and variables into the pod, then its command) a stand-in does.")
    with (
        tempfile.TemporaryDirectory() as folder,
        beside_apiserver.install(Path(folder), ACCOUNTS, story.BUCKETS) as local,
    ):
        local.api.namespace(story.NAMESPACE)
        yield LocalStage(local)


def kind_stage_if_possible(say: story.Narrator, wanted: str) -> KindStage | None:
    """A kind cluster, or None where this machine can have none and neither the caller nor CI insists."""
    try:
        return kind_stage(say)
    except UnavailableError as missing:
        if wanted == "kind" or os.environ.get("CI") == "true":
            raise
        say.seen(f"no cluster with nodes can be had here: {missing}")
        return None


def kind_stage(say: story.Narrator) -> KindStage:
    """A kind cluster, the images in it, the chart installed, an empty namespace."""
    say.step("A kind cluster whose API server signs tokens for the issuer that irsa will publish")
    say.typed("make cluster-up")
    cluster = kind.up()
    installed = on_kind.Installed(cluster)
    say.seen(f"issuer: {cluster.issuer}")
    say.step("irsa is installed: webhook, OIDC server, local STS, gateway with an S3 server behind it")
    say.typed(
        "helm upgrade --install irsa charts/irsa -n irsa-system --create-namespace --wait \\\n"
        "       -f charts/irsa/values-local.yaml --set-file sts.accountsFile=examples/quickstart/accounts.yaml"
    )
    installed.install()
    say.seen(cluster.kubectl("get", "pods", "-n", on_kind.NAMESPACE))
    installed.namespace(story.NAMESPACE)
    return KindStage(installed)


def farewell(say: story.Narrator) -> None:
    """How to look around, and how to take it down."""
    kubeconfig = kind.up().kubeconfig
    say.step("Look around, then take it down")
    say.seen(f"export KUBECONFIG={kubeconfig}")
    say.seen("kubectl logs -n irsa-system deploy/irsa-sts -c sts      # one line a decision, with its reason")
    say.seen("kubectl logs -n irsa-system deploy/irsa-webhook")
    say.seen(f"kubectl get pod -n {story.NAMESPACE} buckets -o yaml")
    say.seen("make cluster-down")


def main() -> int:
    """Play the story; returns the exit code."""
    parser = argparse.ArgumentParser(description="Play the quickstart.", allow_abbrev=False)
    parser.add_argument(
        "--stage",
        choices=["auto", "kind", "apiserver"],
        default=os.environ.get("STAGE", "auto"),
        help="kind: a cluster with nodes; apiserver: an API server alone; auto: kind where it can be had (STAGE=)",
    )
    wanted = parser.parse_args().stage
    say = story.Narrator()
    try:
        with stage(say, wanted) as here:
            story.tell(here, say)
            if isinstance(here, KindStage):
                farewell(say)
    except UnavailableError as missing:
        print(f"\n{missing}", file=sys.stderr)
        return 2
    except ClusterError as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    if say.failures:
        print("\nThis did not come out as it should:", *say.failures, sep="\n  ", file=sys.stderr)
        return 1
    print("\nAll of it came out as told.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
