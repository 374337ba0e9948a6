"""What a kind cluster is made of: kind-config.yaml and what only a harness wants, and the Corefile of its DNS."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.problems import ClusterError

CONFIGURATION = Path(__file__).parents[2] / "kind-config.yaml"

# Virtual-hosted buckets (BUCKET.irsa-sts.irsa-system.svc) are names of the STS Service, which only DNS can say.
BUCKETS = r"""    rewrite stop {
        name regex ^.+\.irsa-sts\.irsa-system\.svc(\.cluster\.local)?\.$ irsa-sts.irsa-system.svc.cluster.local
        answer auto
    }
"""


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
