"""Our images: built from pinned wheels without a network, named after their content, brought into the cluster.

A tag is a digest of all that the image is made of, so a build is needed only when something changed, and an upgrade of
a release rolls its pods just then. Where no registry answers, the base is a minimal Debian with Python.
"""

import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from tests.cluster import cache, debian
from tests.cluster.cluster import Cluster
from tests.cluster.docker import Docker
from tests.cluster.problems import ClusterError
from tests.cluster.progress import say, step
from tests.cluster.shell import run

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.13-slim"
BASE_PACKAGES = ("python3", "python3-venv", "ca-certificates")
PULL_SECONDS = 120.0
PACKAGES = ("irsa", "webhook", "oidc", "sts")
REPOSITORY = "localhost/irsa"


@dataclass(frozen=True)
class Flavour:
    """One image that we build."""

    repository: str
    dockerfile: str
    requirements: str
    tag: str  # the newest one's; a digest is appended to it for a tag that never moves
    ours: bool  # whether the package irsa itself is in it

    @property
    def newest(self) -> str:
        """The reference that manifests written by hand use: whatever was built last."""
        return f"{self.repository}:{self.tag}"


IRSA = Flavour(REPOSITORY, "Dockerfile", "image.txt", "dev", ours=True)
LOCAL = Flavour(REPOSITORY, "Dockerfile", "image-local.txt", "local", ours=True)
DEMO = Flavour("localhost/irsa-demo", "examples/quickstart/Dockerfile", "demo.txt", "dev", ours=False)


def ensure(docker: Docker, flavour: Flavour) -> str:
    """The reference of an image in the daemon's store; built where its content has changed."""
    with cache.lock("images"):
        base = base_image(docker)
        reference = f"{flavour.newest}-{_digest(flavour, base)}"
        if not docker.has_image(reference):
            with step(f"building {reference}"):
                _build(docker, flavour, base, reference)
                docker.run("tag", reference, flavour.newest)
            docker.forget_others(reference, f"{flavour.newest}-")
    return reference


def in_cluster(cluster: Cluster, flavour: Flavour) -> str:
    """The reference of an image that the cluster's pods can use; `IMAGE` (`DEMO_IMAGE`) for a cluster of the user's."""
    if cluster.docker is None:
        variable = "DEMO_IMAGE" if flavour is DEMO else "IMAGE"
        if variable not in os.environ:
            raise ClusterError(f"CLUSTER= needs {variable}=, an image that its nodes can pull ({flavour.dockerfile})")
        return os.environ[variable]
    reference = ensure(cluster.docker, flavour)
    if reference not in cluster.node("ctr", "--namespace=k8s.io", "images", "list", "--quiet").split():
        with cache.lock(f"load-{cluster.name}"), step(f"loading {reference} into {cluster.name}"):
            cluster.load(reference, flavour.newest)
    return reference


def base_image(docker: Docker) -> str:
    """The base: `BASE_IMAGE` if that is set, the public Python image, or one made of Debian packages."""
    if given := os.environ.get("BASE_IMAGE"):
        return given
    if docker.has_image(BASE):
        return BASE
    own = f"irsa/base:{debian.release()}-{cache.digest(' '.join((*BASE_PACKAGES, *debian.SUPERFLUOUS)))}"
    if docker.has_image(own):
        return own
    try:
        with step(f"pulling {BASE}"):
            docker.run("pull", "--quiet", BASE, seconds=PULL_SECONDS)
    except ClusterError as problem:
        say(f"it cannot be pulled ({str(problem).splitlines()[-1][:160]}), so a base is made here")
    else:
        return BASE
    docker.run("import", debian.root_file_system("base", BASE_PACKAGES), own)
    return own


def sources() -> list[Path]:
    """Every file that ends up in the package irsa, and what decides how it is built."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    return [*sorted(path for path in files if path.suffix != ".pyc"), ROOT / "pyproject.toml", ROOT / "README.md"]


def wheels(requirements: Path, python: str, place: Path) -> None:
    """Download what `requirements` pins, for Python `python` (such as `3.13`) on this architecture, hashes checked.

    Markers are decided here, since pip would decide them for the Python that it runs under itself.
    """
    chosen = place / "requirements.txt"
    chosen.write_text(for_python(requirements.read_text(), python))
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(36, 4, -1)]
    platforms += [f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}", f"linux_{machine}"]
    options = ["--python-version", python, "--implementation", "cp", "--only-binary=:all:", "--no-deps"]
    options += [part for each in platforms for part in ("--platform", each)]
    downloading = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    run(*downloading, "--require-hashes", *options, "--dest", place, "-r", chosen, seconds=900)
    chosen.unlink()


def for_python(requirements: str, python: str) -> str:
    """The requirements whose markers hold for one Python version on Linux, without the markers."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": platform.machine(),
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    kept = []
    for entry in re.split(r"^(?=[A-Za-z0-9])", requirements, flags=re.MULTILINE):
        first, _, hashes = entry.partition("\\\n")
        if not first.strip() or first.startswith("#"):
            continue
        requirement = Requirement(first)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            kept.append(f"{first.partition(';')[0].rstrip()} \\\n{hashes}")
    return "".join(kept)


def _digest(flavour: Flavour, base: str) -> str:
    files = [ROOT / flavour.dockerfile, ROOT / "requirements" / flavour.requirements]
    files += sources() if flavour.ours else []
    names = "\n".join(str(path.relative_to(ROOT)) for path in files)
    return cache.digest(base, names, *files)


def _build(docker: Docker, flavour: Flavour, base: str, reference: str) -> None:
    requirements = ROOT / "requirements" / flavour.requirements
    python = docker.run("run", "--rm", "--network=none", "--entrypoint=python3", base, "-c", _VERSION).strip()
    name = f"wheels/{flavour.requirements.removesuffix('.txt')}-{python}-{cache.digest(requirements)}"

    def download(place: Path) -> None:
        place.mkdir()
        with step(f"downloading the wheels of {flavour.requirements} for Python {python}"):
            wheels(requirements, python, place)

    downloaded = cache.built(name, download)
    with cache.scratch() as context:
        (context / "dist").mkdir()
        if flavour.ours:
            _build_package(context / "dist")
        shutil.copytree(downloaded, context / "wheels", copy_function=os.link)
        (context / "requirements").mkdir()
        # A daemon's build cache goes by content: the markers are decided, the hashes are the same.
        text = for_python(requirements.read_text(), python)
        (context / "requirements" / flavour.requirements).write_text(text)
        arguments = {"BASE_IMAGE": base, "REQUIREMENTS": flavour.requirements}
        if not flavour.ours:
            del arguments["REQUIREMENTS"]
        options = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
        options += ["--network=none", "--tag", reference, "--file", str(ROOT / flavour.dockerfile)]
        docker.run("build", "--quiet", *options, context, seconds=900)


_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def _build_package(place: Path) -> None:
    building = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    run(*building, "--no-deps", "--no-build-isolation", "--wheel-dir", place, ROOT)
