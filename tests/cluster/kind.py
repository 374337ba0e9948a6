"""A real cluster: the one that the user names, or kind's.

`up` and `down` may be called again and again. The cluster's kubeconfig is a file of its own in the cache; the user's
current context is never read nor written. A cluster is made anew when its configuration or node image has changed.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import binaries, cache, docker, node_image
from tests.cluster.client import ApiError, Client
from tests.cluster.docker import Docker
from tests.cluster.problems import ClusterError, UnavailableError
from tests.cluster.progress import say, step
from tests.cluster.shell import run

CONFIGURATION = Path(__file__).parents[2] / "kind-config.yaml"
PULL_SECONDS = 300.0
READY_SECONDS = 180.0
CLUSTERS_BY_DEFAULT, INOTIFY_INSTANCES = 3, 512  # 128 instances are usual, enough for some four clusters
SERVICES, PODS = "10.96.0.0/16", "10.244.0.0/16"  # kind's defaults

# Virtual-hosted buckets (BUCKET.irsa-sts.irsa-system.svc) are names of the STS Service, which only DNS can say.
BUCKETS = r"""    rewrite stop {
        name regex ^.+\.irsa-sts\.irsa-system\.svc(\.cluster\.local)?\.$ irsa-sts.irsa-system.svc.cluster.local
        answer auto
    }
"""


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


def up(name: str = "", *, issuer_of_ours: bool = True) -> Cluster:
    """A running cluster; the one that `CLUSTER` names, or kind's `name`, made if it is not there.

    Args:
        name: of the kind cluster; `KIND_CLUSTER_NAME`, as kind itself has it, or `irsa` where none is given.
        issuer_of_ours: use kind-config.yaml; otherwise kind's default settings, whose issuer is the API server's own.

    Raises:
        UnavailableError: this machine can have none; the message says what is missing.
        ClusterError: it could not be made.
    """
    if given := os.environ.get("CLUSTER"):
        return _users_cluster(Path(given))
    daemon = docker.find()
    name = name or os.environ.get("KIND_CLUSTER_NAME", "irsa")
    with cache.lock(f"cluster-{name}"):
        image, self_made = _node_image(daemon)
        text = configuration(issuer_of_ours=issuer_of_ours, self_made=self_made, cgroup_v1=_cgroup_v1())
        cluster = Cluster(_folder() / f"{name}.kubeconfig", name, daemon)
        made_of = _folder() / f"{name}.made-of"
        wanted = cache.digest(image, text, BUCKETS)
        if made_of.exists() and made_of.read_text() == wanted and _runs(cluster):
            return cluster
        made_of.unlink(missing_ok=True)
        _warn_of_inotify()
        with step(f"creating the kind cluster {name} (Kubernetes {binaries.KUBERNETES})"):
            _create(cluster, daemon, image, text)
        made_of.write_text(wanted)
    return cluster


def down() -> None:
    """Delete the clusters that `up` made, and end the Docker daemon if it is ours; safe to repeat."""
    daemon = docker.running()
    for kubeconfig in sorted(_folder().glob("*.kubeconfig")):
        if daemon:
            with step(f"deleting the kind cluster {kubeconfig.stem}"):
                _kind(daemon, "delete", "cluster", "--name", kubeconfig.stem, "--kubeconfig", str(kubeconfig))
        for leftover in _folder().glob(f"{kubeconfig.stem}.*"):
            leftover.unlink()
    if daemon and daemon.ours:
        daemon.remove_network("kind")
        docker.stop()


def known() -> list[Cluster]:
    """The clusters that `up` made."""
    daemon = docker.running()
    return [Cluster(place, place.stem, daemon) for place in sorted(_folder().glob("*.kubeconfig"))]


def configuration(*, issuer_of_ours: bool, self_made: bool, cgroup_v1: bool) -> str:
    """The kind configuration for this machine: kind-config.yaml, or kind's defaults, and what only a harness wants."""
    document: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
    if not issuer_of_ours:
        del document["kubeadmConfigPatches"]
    kubelet: dict[str, Any] = {"kind": "KubeletConfiguration"}
    if self_made:
        kubelet["cgroupDriver"] = "cgroupfs"
    if cgroup_v1:
        kubelet["failCgroupV1"] = False
    # Nothing in a test cluster outlives its machine, so etcd need not wait for the disk.
    etcd = {"kind": "ClusterConfiguration", "etcd": {"local": {"extraArgs": {"unsafe-no-fsync": "true"}}}}
    patches = document.setdefault("kubeadmConfigPatches", [])
    patches += [yaml.safe_dump(patch) for patch in (etcd, kubelet) if len(patch) > 1]
    return yaml.safe_dump(document, sort_keys=False)


def with_buckets(corefile: str) -> str:
    """A Corefile that answers for virtual-hosted buckets of the STS Service, before it asks Kubernetes."""
    if "irsa-sts" in corefile:
        return corefile
    place = re.search(r"^ *kubernetes ", corefile, re.MULTILINE)
    if not place:
        raise ClusterError(f"the Corefile has no kubernetes block:\n{corefile}")
    return corefile[: place.start()] + BUCKETS + corefile[place.start() :]


def wait_until(what: str, happened: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    """Ask `happened` again and again until it is true.

    Raises:
        ClusterError: it is not after `seconds`; the message says `what` was waited for.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise ClusterError(f"not so after {seconds:g} s: {what}")
        time.sleep(0.25)


def settle(what: str, act: Callable[[], object], seconds: float = READY_SECONDS) -> None:
    """Do `act`, which may be repeated, until it succeeds: an API server that has just started is not always there yet.

    Raises:
        ClusterError: it did not within `seconds`; the message says `what` was waited for and what went wrong last.
    """
    problems: list[Exception] = []

    def succeeded() -> bool:
        try:
            act()
        except (OSError, HTTPException, ApiError, ClusterError) as problem:
            problems.append(problem)
            return False
        return True

    try:
        wait_until(what, succeeded, seconds)
    except ClusterError as problem:
        raise ClusterError(f"{problem}; the last of {len(problems)} attempts: {problems[-1]!r}") from problems[-1]
    if problems:
        say(f"{what}: after {len(problems)} failed attempts, the first with {problems[0]!r}")


def _create(cluster: Cluster, daemon: Docker, image: str, text: str) -> None:
    place = cluster.kubeconfig.with_suffix(".yaml")
    place.write_text(text)
    kubeconfig = ("--kubeconfig", str(cluster.kubeconfig))
    _kind(daemon, "delete", "cluster", "--name", cluster.name, *kubeconfig)
    options = ("--name", cluster.name, "--config", str(place), "--image", image, "--wait", f"{READY_SECONDS:g}s")
    _kind(daemon, "create", "cluster", *options, *kubeconfig)
    cluster.kubeconfig.chmod(0o600)
    _keep_inside(cluster)
    # kind has asked from inside the node; from outside, its API server may still be away for a moment.
    settle(f"the API server of {cluster.name} answers at {cluster.client.url}", lambda: _answer_for_buckets(cluster))


def _warn_of_inotify() -> None:
    """Each cluster takes some 30 of the machine's inotify instances; kube-proxy is the first that finds none left."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if len(known()) >= CLUSTERS_BY_DEFAULT and limit.exists() and int(limit.read_text()) < INOTIFY_INSTANCES:
        say(
            f"several clusters need more inotify instances: sysctl -w fs.inotify.max_user_instances={INOTIFY_INSTANCES}"
        )


def _keep_inside(cluster: Cluster) -> None:
    """Refuse on the node what is for a Service or a pod and that no rule has caught, so that it never leaves it."""
    for chain in ("OUTPUT", "FORWARD"):
        cluster.node("iptables", "-I", chain, "-o", "eth0", "-d", SERVICES, "-j", "REJECT")
    # A rule for pods would catch what the node sends to a Service: a pod's address by now, but still bound for eth0.
    cluster.node("ip", "route", "replace", "unreachable", PODS)


def _answer_for_buckets(cluster: Cluster) -> None:
    path = "/api/v1/namespaces/kube-system/configmaps/coredns"
    corefile = with_buckets(cluster.client.get(path)["data"]["Corefile"])
    cluster.client.patch(path, {"data": {"Corefile": corefile}})
    cluster.kubectl("-n", "kube-system", "rollout", "restart", "deployment/coredns")
    cluster.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")


def _users_cluster(kubeconfig: Path) -> Cluster:
    if not kubeconfig.is_file():
        raise ClusterError(f"CLUSTER={kubeconfig} is no file; it must be the path of a kubeconfig")
    cluster = Cluster(kubeconfig)
    cluster.kubectl("version", "--request-timeout=20s")
    return cluster


def _node_image(daemon: Docker) -> tuple[str, bool]:
    """The node image, and whether it is one that we made."""
    candidates = public_node_images()
    for public in candidates:
        if daemon.has_image(public):
            return public, False
    if not daemon.run("images", "--quiet", "irsa/node").strip():
        for public in candidates:
            try:
                with step(f"pulling {public.partition('@')[0]}"):
                    daemon.run("pull", "--quiet", public, seconds=PULL_SECONDS)
            except ClusterError as problem:
                say(f"it cannot be pulled: {str(problem).splitlines()[-1][:160]}")
                if "not found" not in str(problem) and "manifest unknown" not in str(problem):
                    break  # no registry answers, so the next would fail as well, and perhaps as slowly
            else:
                return public, False
        say("so a node image is made here")
    return node_image.ensure(daemon), True


def public_node_images() -> list[str]:
    """The node images of kind for the Kubernetes minor wanted: its default if it is one, else by patch release.

    Not every patch release has one.
    """
    place = binaries.module_folder("kind", "sigs.k8s.io/kind") / "pkg/apis/config/defaults/image.go"
    found = re.search(r'"(kindest/node:v(\d+\.\d+)\.\S+)"', place.read_text())
    if found and found[2] == binaries.KUBERNETES:
        return [found[1]]
    newest = int(binaries.kubernetes_version().rpartition(".")[2])
    return [f"kindest/node:v{binaries.KUBERNETES}.{patch}" for patch in range(newest, -1, -1)]


def _kind(daemon: Docker, *arguments: str) -> str:
    return run(binaries.find("kind"), *arguments, env=dict(daemon.environment), seconds=600)


def _runs(cluster: Cluster) -> bool:
    """Whether it is there and answers; one that is just being restarted by a test is given time."""
    if not cluster.kubeconfig.exists() or cluster.docker is None:
        return False
    try:
        state = cluster.docker.run("inspect", "--format", "{{.State.Running}}", f"{cluster.name}-control-plane")
        if state.strip() != "true":
            return False
        wait_until(f"the API server of {cluster.name} is ready", cluster.is_ready, seconds=60)
    except ClusterError:
        return False
    return True


def _cgroup_v1() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _folder() -> Path:
    place = cache.root() / "clusters"
    place.mkdir(exist_ok=True)
    return place
