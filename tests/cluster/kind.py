"""A real cluster: the one that the user names, or kind's.

`up` and `down` may be called again and again. The cluster's kubeconfig is a file of its own in the cache; the user's
current context is never read nor written. A cluster is made anew when its configuration or node image has changed.
"""

import os
import re
from pathlib import Path

from tests.cluster import binaries, cache, docker, node_image
from tests.cluster.cluster import Cluster
from tests.cluster.configuration import BUCKETS, configuration, with_buckets
from tests.cluster.docker import Docker
from tests.cluster.problems import ClusterError
from tests.cluster.progress import say, step
from tests.cluster.shell import run
from tests.cluster.waiting import READY_SECONDS, settle, wait_until

PULL_SECONDS = 300.0
CLUSTERS_BY_DEFAULT, INOTIFY_INSTANCES = 3, 512  # 128 instances are usual, enough for some four clusters
SERVICES, PODS = "10.96.0.0/16", "10.244.0.0/16"  # kind's defaults


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
                delete(Cluster(kubeconfig, kubeconfig.stem, daemon))
        _forget(kubeconfig)
    if daemon and daemon.ours:
        daemon.remove_network("kind")
        docker.stop()


def delete(cluster: Cluster) -> None:
    """Delete one cluster that `up` made; safe to repeat. One that the user named is left alone."""
    if cluster.docker is not None:
        _kind(cluster.docker, "delete", "cluster", "--name", cluster.name, "--kubeconfig", str(cluster.kubeconfig))
        _forget(cluster.kubeconfig)


def known() -> list[Cluster]:
    """The clusters that `up` made."""
    daemon = docker.running()
    return [Cluster(place, place.stem, daemon) for place in sorted(_folder().glob("*.kubeconfig"))]


def _create(cluster: Cluster, daemon: Docker, image: str, text: str) -> None:
    delete(cluster)
    place = cluster.kubeconfig.with_suffix(".yaml")
    place.write_text(text)
    kubeconfig = ("--kubeconfig", str(cluster.kubeconfig))
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


def _forget(kubeconfig: Path) -> None:
    for leftover in _folder().glob(f"{kubeconfig.stem}.*"):
        leftover.unlink()


def _cgroup_v1() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _folder() -> Path:
    place = cache.root() / "clusters"
    place.mkdir(exist_ok=True)
    return place
