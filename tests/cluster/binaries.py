"""Every Go program that a cluster is made of, built from the module proxy and kept by version.

`go/` holds one module for each set; go.mod and go.sum pin it, and nothing else names a version. A program's place in
the cache carries a digest of both, so a changed pin is another program and an old one is never taken for it.
"""

import functools
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cache
from tests.cluster.problems import ClusterError
from tests.cluster.progress import step
from tests.cluster.shell import run

MODULES = Path(__file__).parent / "go"
KUBERNETES = os.environ.get("KUBERNETES", "1.36")  # the minor version of everything that is Kubernetes
OLDEST_GO = (1, 26)

# What the API server fixture needs comes first; the rest of a cluster is built only when one is wanted.
API_SERVER = ("etcd", "kube-apiserver", "kubectl")
NODE = (
    *("kube-controller-manager", "kube-scheduler", "kubelet", "kubeadm", "kube-proxy"),
    *("containerd", "containerd-shim-runc-v2", "ctr", "coredns", "pause", "kind", "helm"),
)
EVERYTHING = API_SERVER + NODE


@dataclass(frozen=True)
class Source:
    """Where a program comes from: a folder of `go/`, the package in it, and build tags."""

    module: str
    package: str
    tags: str = ""


_CONTAINERD_TAGS = "no_btrfs no_zfs no_devmapper"


def source(program: str) -> Source:
    """The source of a program by its name."""
    match program:
        case "etcd":
            return Source("etcd", "go.etcd.io/etcd/server/v3")
        case "containerd" | "containerd-shim-runc-v2" | "ctr":
            return Source("containerd", f"github.com/containerd/containerd/v2/cmd/{program}", _CONTAINERD_TAGS)
        case "coredns" | "pause":
            return Source(program, ".")
        case "kind":
            return Source("kind", "sigs.k8s.io/kind")
        case "helm":
            return Source("helm", "helm.sh/helm/v4/cmd/helm")
        case _:
            return Source(f"kubernetes-{KUBERNETES}", f"k8s.io/kubernetes/cmd/{program}")


def version(module: str, requirement: str) -> str:
    """The version of `requirement` that a module pins, such as `v1.36.3`.

    Raises:
        ClusterError: there is no such module (an unknown KUBERNETES) or it does not require that.
    """
    place = MODULES / module / "go.mod"
    if not place.exists():
        known = ", ".join(sorted(folder.name.removeprefix("kubernetes-") for folder in MODULES.glob("kubernetes-*")))
        raise ClusterError(f"KUBERNETES={KUBERNETES} is not one of {known}; tests/cluster/README.md says how to add it")
    found = re.search(rf"^\s*(?:require )?{re.escape(requirement)} (v\S+)", place.read_text(), re.MULTILINE)
    if not found:
        raise ClusterError(f"{place} does not require {requirement}")
    return found[1]


def kubernetes_version() -> str:
    """The Kubernetes version in use, such as `v1.36.3`."""
    return version(f"kubernetes-{KUBERNETES}", "k8s.io/kubernetes")


def linker_flags(module: str) -> str:
    """Stripped; Kubernetes besides learns its version here (kubeadm refuses to work without one)."""
    if not module.startswith("kubernetes-"):
        return "-s -w"
    full = kubernetes_version()
    major, minor, _ = full.removeprefix("v").split(".", 2)
    stamps = {"gitVersion": full, "gitMajor": major, "gitMinor": minor}
    return "-s -w" + "".join(f" -X k8s.io/component-base/version.{name}={text}" for name, text in stamps.items())


def folder(module: str) -> Path:
    """The cache's folder of what is built from `module`, named after all that decides the result."""
    flags = linker_flags(module)
    inputs = sorted(path for path in (MODULES / module).iterdir() if path.suffix in {".mod", ".sum", ".go"})
    return cache.root() / "bin" / f"{module}-{cache.digest(flags, *inputs)}"


def find(program: str) -> Path:
    """The path of one program; builds it, and its neighbours of the same step, where it is missing."""
    place = folder(source(program).module) / program
    if not place.exists():
        build(API_SERVER if program in API_SERVER else (program,))
    return place


def build(programs: tuple[str, ...] = EVERYTHING) -> None:
    """Build what is missing of `programs`, one module after the other (the linker alone fills the memory)."""
    by_module: dict[str, list[str]] = {}
    for program in programs:
        by_module.setdefault(source(program).module, []).append(program)
    for module, wanted in by_module.items():
        _build_module(module, wanted)


def _build_module(module: str, programs: list[str]) -> None:
    place = folder(module)
    if all((place / program).exists() for program in programs):
        return
    place.mkdir(parents=True, exist_ok=True)
    with cache.lock(f"bin-{module}"):
        missing = [program for program in programs if not (place / program).exists()]
        if missing:
            with step(f"building {', '.join(missing)} from Go modules"), cache.scratch(place.parent) as scratch:
                _go_build(module, missing, scratch)
                for program in missing:
                    (scratch / program).rename(place / program)


def _go_build(module: str, programs: list[str], output: Path) -> None:
    sources = [source(program) for program in programs]
    tags = ["-tags", sources[0].tags] if sources[0].tags else []
    flags = ["-buildvcs=false", "-mod=readonly", "-ldflags", linker_flags(module), *tags]
    packages = [each.package for each in sources]
    # Of one package `-o FILE` decides the name (etcd's would be `v3`); of several `-o FOLDER/` keeps each its own.
    target = str(output / programs[0]) if len(programs) == 1 else f"{output}/"
    run(go(), "build", *flags, "-o", target, *packages, cwd=MODULES / module, env=GO_ENVIRONMENT, seconds=3600)


GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off"}


@functools.cache
def go() -> str:
    """The Go command.

    Raises:
        ClusterError: it is missing or too old, with where it comes from.
    """
    command = os.environ.get("GO") or shutil.which("go") or ""
    wanted = ".".join(map(str, OLDEST_GO))
    cure = (
        f"install Go {wanted} or newer (https://go.dev/dl/; distributions are often older) or name it: GO=/path/to/go"
    )
    if not command:
        raise ClusterError(f"there is no Go compiler in PATH: {cure}")
    found = re.search(r"go(\d+)\.(\d+)", run(command, "version"))
    if not found or (int(found[1]), int(found[2])) < OLDEST_GO:
        raise ClusterError(f"{command} is {found[0] if found else 'no Go compiler'}: {cure}")
    return command


def module_folder(module: str, requirement: str) -> Path:
    """The unpacked source of a required Go module, for files that are no program (kind's own base files)."""
    answer = run(go(), "mod", "download", "-json", requirement, cwd=MODULES / module, env=GO_ENVIRONMENT)
    return Path(json.loads(answer)["Dir"])
