"""A cluster that runs, and what tests ask of it: requests, kubectl, helm, logs, tokens, its node, images."""

import os
import subprocess
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.client import Client
from tests.cluster.docker import Docker
from tests.cluster.problems import ClusterError, UnavailableError
from tests.cluster.shell import run
from tests.cluster.waiting import wait_until


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs.

    Attributes:
        kubeconfig: of an administrator.
        name: kind's name of it; empty where the user brought the cluster.
    """

    kubeconfig: Path
    name: str = ""
    docker: Docker | None = field(default=None, repr=False)

    @property
    def client(self) -> Client:
        """Requests as the administrator."""
        return Client(self.kubeconfig)

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens, as its API server's discovery document has it."""
        return str(self.client.get("/.well-known/openid-configuration")["issuer"])

    def kubectl(self, *arguments: str | Path, stdin: str | None = None, seconds: float = 180) -> str:
        """What `kubectl ARGUMENTS` prints."""
        option = f"--kubeconfig={self.kubeconfig}"
        return run(binaries.find("kubectl"), option, *arguments, stdin=stdin, seconds=seconds)

    def helm(self, *arguments: str | Path, seconds: float = 300) -> str:
        """What `helm ARGUMENTS` prints."""
        return run(binaries.find("helm"), f"--kubeconfig={self.kubeconfig}", *arguments, seconds=seconds)

    def logs(self, namespace: str, selector: str) -> str:
        """The logs of all containers of the pods that a label selector finds."""
        options = ("--all-containers", "--prefix", "--tail=-1", "--max-log-requests=50")
        return self.kubectl("logs", "-n", namespace, "-l", selector, *options)

    def token(self, namespace: str, name: str, audience: str = "sts.amazonaws.com", seconds: int = 3600) -> str:
        """A token of a ServiceAccount, signed by this cluster."""
        return self.client.token(namespace, name, audience, seconds)

    def node(self, *command: str, stdin: str | None = None) -> str:
        """What a command prints that runs on the control-plane node: static pods are in /etc/kubernetes/manifests.

        Raises:
            UnavailableError: the cluster is the user's own, whose nodes are not ours to touch.
        """
        if self.docker is None:
            raise UnavailableError("the nodes of a cluster named by CLUSTER= are left alone")
        interactive = ["-i"] if stdin is not None else []
        return self.docker.run("exec", *interactive, f"{self.name}-control-plane", *command, stdin=stdin)

    def restart_apiserver(self) -> None:
        """End kube-apiserver and wait until kubelet has started it again and it is ready."""
        self.node("pkill", "-TERM", "-x", "kube-apiserver")
        wait_until(f"the API server of {self.name} is ready", lambda: not self.is_ready(), seconds=60)
        wait_until(f"the API server of {self.name} is ready again", self.is_ready)

    def load(self, *images: str) -> None:
        """Bring images from the Docker daemon's store into the node's.

        Raises:
            UnavailableError: the cluster is the user's own; it takes its images from where its nodes can pull.
        """
        if self.docker is None:
            raise UnavailableError("images cannot be loaded into a cluster named by CLUSTER=; name one with IMAGE=")
        variables = {**os.environ, **self.docker.environment}
        node = [self.docker.command, "exec", "-i", f"{self.name}-control-plane"]
        importing = ["ctr", "--namespace=k8s.io", "images", "import", "--digests", "--snapshotter=overlayfs", "-"]
        # As `kind load docker-image` does it, without the archive on the disk in between.
        with subprocess.Popen([self.docker.command, "save", *images], env=variables, stdout=subprocess.PIPE) as saving:
            done = subprocess.run(
                [*node, *importing], stdin=saving.stdout, env=variables, capture_output=True, check=False
            )
        if saving.returncode or done.returncode:
            raise ClusterError(f"{', '.join(images)} cannot be loaded: {done.stderr.decode(errors='replace')}")

    def is_ready(self) -> bool:
        """Whether its API server answers and says so."""
        try:
            return self.client.raw("GET", "/readyz", seconds=5)[0] == 200
        except (OSError, HTTPException):
            return False
