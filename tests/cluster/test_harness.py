"""What the harness decides, without a cluster: versions, names, configurations, and what it says when it cannot."""

import json
import os
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.cluster import archive, binaries, cache, configuration, docker, images, kind, node_image, waiting
from tests.cluster.problems import ClusterError

ROOT = Path(__file__).parents[2]
CAPABLE = "CapBnd:\t000001ffffffffff\n"
LESS_CAPABLE = "CapBnd:\t000001fffeffffff\n"
COREFILE = """.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
    }
    forward . /etc/resolv.conf
}
"""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "irsa"


def harness(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m tests.cluster ARGUMENTS` with these variables besides."""
    return subprocess.run(
        [sys.executable, "-m", "tests.cluster", *arguments],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


# -- versions


@pytest.mark.parametrize("program", binaries.EVERYTHING)
def test_every_program_is_pinned(program: str) -> None:
    """Its module is in the tree, with checksums of all that it needs."""
    module = ROOT / "tests/cluster/go" / binaries.source(program).module
    assert (module / "go.mod").exists()
    assert (module / "go.sum").exists() or program == "pause", "pause needs nothing but Go itself"


def test_kubernetes_learns_its_version() -> None:
    """The version is that of go.mod; kubeadm refuses to work without one."""
    flags = binaries.linker_flags(f"kubernetes-{binaries.KUBERNETES}")
    assert f"-X k8s.io/component-base/version.gitVersion={binaries.kubernetes_version()}" in flags


def test_an_unknown_kubernetes_names_the_known_ones() -> None:
    """A typing error in KUBERNETES= is answered with what there is."""
    answer = harness("binaries", KUBERNETES="1.11")
    assert 2 == answer.returncode
    assert "KUBERNETES=1.11 is not one of" in answer.stderr
    assert "1.36" in answer.stderr


def test_a_missing_compiler_is_named_with_its_source(tmp_path: Path) -> None:
    """Without Go nothing can be built: the message says which Go and where it comes from, the exit code is 2."""
    answer = harness("binaries", PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert 2 == answer.returncode
    assert "there is no Go compiler in PATH: install Go 1.26 or newer (https://go.dev/dl/" in answer.stderr


def test_an_old_compiler_is_told_from_a_missing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's Go is older than what Kubernetes needs, so the version is looked at before an hour is spent."""
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    old.chmod(0o755)
    monkeypatch.setenv("GO", str(old))
    with pytest.raises(ClusterError, match=r"/go is go1.19: install Go 1.26 or newer"):
        binaries.go.__wrapped__()


# -- the cache


def test_a_thing_is_built_once(empty_cache: Path) -> None:
    """Four that want it at once get the same file, built by one of them."""
    builds: list[Path] = []

    def build(place: Path) -> None:
        builds.append(place)
        place.write_text("whole")

    with ThreadPoolExecutor(4) as several:
        places = list(several.map(lambda _: cache.built("thing-1", build), range(4)))
    assert [empty_cache / "thing-1"] * 4 == places
    assert 1 == len(builds)


def test_a_failed_build_leaves_nothing(empty_cache: Path) -> None:
    """What stands under its name is whole: a build that fails half way is as if it had not begun."""

    def build(place: Path) -> None:
        place.write_text("half")
        raise ClusterError("the disk is full")

    with pytest.raises(ClusterError):
        cache.built("thing-1", build)
    assert ["locks"] == sorted(path.name for path in empty_cache.iterdir())


# -- images


def test_the_same_files_are_the_same_archive(tmp_path: Path) -> None:
    """Neither the time nor the owner of a file gets into an image."""
    digests = []
    for number, seconds in enumerate((0, 10**9)):
        program = tmp_path / "program"
        program.write_text("content")
        os.utime(program, (seconds, seconds))
        place = tmp_path / f"{number}.tar"
        archive.write(place, "example/image:1", ["/program"], {"/program": program})
        with tarfile.open(place) as packed:
            manifest = packed.extractfile("manifest.json")
            assert manifest
            digests.append(json.load(manifest)[0])
    assert digests[0] == digests[1]
    assert ["example/image:1"] == digests[0]["RepoTags"]


@pytest.mark.parametrize(
    "python,kept",
    [
        pytest.param("3.11", ["always", "old"], id="3.11"),
        pytest.param("3.13", ["always", "new"], id="3.13"),
    ],
)
def test_markers_are_decided_for_the_image(python: str, kept: list[str]) -> None:
    """The image's Python decides, not the one that the harness runs under; hashes stay with their requirement."""
    requirements = (
        "always==1 \\\n    --hash=sha256:aa\n"
        "new==2 ; python_full_version >= '3.12' \\\n    --hash=sha256:bb\n"
        "old==1 ; python_full_version < '3.12' \\\n    --hash=sha256:cc \\\n    --hash=sha256:dd\n"
        "windows==1 ; sys_platform == 'win32' \\\n    --hash=sha256:ee\n"
    )
    chosen = images.for_python(requirements, python)
    assert kept == [line.partition("==")[0] for line in chosen.splitlines() if "==" in line]
    assert chosen.count("--hash") == len(kept) + kept.count("old")
    assert ";" not in chosen


def test_libraries_are_read_from_ldd() -> None:
    """Every library once, the loader too, and nothing that the kernel brings or that is not found."""
    listing = (
        "/usr/sbin/nft:\n\tlinux-vdso.so.1 (0x00007ffd)\n"
        "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n"
        "/usr/lib/x86_64-linux-gnu/xtables/libxt_statistic.so:\n"
        "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n"
    )
    expected = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"]
    assert expected == node_image.libraries(listing)


# -- the cluster's configuration


@pytest.mark.parametrize(
    "issuer_of_ours,self_made,cgroup_v1,kinds",
    [
        pytest.param(True, False, False, ["ClusterConfiguration"] * 2, id="public-image"),
        pytest.param(False, False, False, ["ClusterConfiguration"], id="default-settings"),
        pytest.param(True, True, False, ["ClusterConfiguration"] * 2 + ["KubeletConfiguration"], id="our-image"),
        pytest.param(True, True, True, ["ClusterConfiguration"] * 2 + ["KubeletConfiguration"], id="old-cgroups"),
    ],
)
def test_only_this_machine_gets_what_only_it_needs(
    issuer_of_ours: bool, self_made: bool, cgroup_v1: bool, kinds: list[str]
) -> None:
    """kind-config.yaml is taken as it is; a patch for cgroups, or for our node image, is added only there."""
    text = configuration.configuration(issuer_of_ours=issuer_of_ours, self_made=self_made, cgroup_v1=cgroup_v1)
    patches = [yaml.safe_load(patch) for patch in yaml.safe_load(text)["kubeadmConfigPatches"]]
    assert kinds == [patch["kind"] for patch in patches]
    kubelet: dict[str, object] = {} if patches[-1]["kind"] == "ClusterConfiguration" else patches[-1]
    assert ("cgroupfs" if self_made else None) == kubelet.get("cgroupDriver")
    assert (False if cgroup_v1 else None) == kubelet.get("failCgroupV1")


def test_our_issuer_is_the_only_one_and_sts_no_audience() -> None:
    """kind-config.yaml signs for our issuer alone, publishes its keys there, and leaves api-audiences alone."""
    patch = yaml.safe_load(yaml.safe_load(configuration.CONFIGURATION.read_text())["kubeadmConfigPatches"][0])
    assert {
        "service-account-issuer": "https://irsa-oidc.irsa-system.svc",
        "service-account-jwks-uri": "https://irsa-oidc.irsa-system.svc/openid/v1/jwks",
    } == patch["apiServer"]["extraArgs"]


def test_buckets_are_answered_before_kubernetes_is_asked() -> None:
    """The rewrite stands in front of the kubernetes block, and doing it twice is doing it once."""
    once = configuration.with_buckets(COREFILE)
    assert once.index("rewrite stop") < once.index("kubernetes cluster.local")
    assert once == configuration.with_buckets(once)


def test_a_corefile_without_kubernetes_is_refused() -> None:
    """The message shows what was found."""
    with pytest.raises(ClusterError, match="no kubernetes block"):
        configuration.with_buckets(".:53 {\n}\n")


def test_an_api_server_that_just_started_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    """What goes wrong at first is told, not lost."""
    problems: list[Exception] = [ConnectionResetError("reset"), ClusterError("not yet")]

    def act() -> None:
        if problems:
            raise problems.pop(0)

    waiting.settle("it answers", act, seconds=10)
    assert "it answers: after 2 failed attempts, the first with ConnectionResetError('reset')" in "".join(
        capsys.readouterr()
    )


def test_an_api_server_that_never_comes_is_an_error_with_its_cause() -> None:
    """The message has what was waited for and what was met last."""

    def act() -> None:
        raise ConnectionResetError("reset")

    with pytest.raises(ClusterError, match=r"it answers; the last of 1 attempts: ConnectionResetError\('reset'\)"):
        waiting.settle("it answers", act, seconds=-1)


# -- the runtime


@pytest.mark.parametrize(
    "status,lacks",
    [pytest.param(CAPABLE, False, id="all"), pytest.param(LESS_CAPABLE, True, id="without-sys-resource")],
)
def test_the_bounding_set_decides_on_the_runtime(status: str, lacks: bool) -> None:
    """Only where CAP_SYS_RESOURCE cannot be had is it taken out of what containers ask for."""
    assert lacks == docker.lacks_resource_capability(status)


@pytest.mark.parametrize(
    "arguments,file",
    [
        pytest.param(["--log", "x", "create", "--bundle", "FOLDER", "id"], "config.json", id="create"),
        pytest.param(["run", "--bundle=FOLDER", "id"], "config.json", id="run"),
        pytest.param(["exec", "--process", "FOLDER/process.json", "id"], "process.json", id="exec"),
        pytest.param(["exec", "-p", "FOLDER/process.json", "id"], "process.json", id="exec-short"),
    ],
)
def test_the_runtime_takes_one_capability_out(tmp_path: Path, arguments: list[str], file: str) -> None:
    """CAP_SYS_RESOURCE goes, wherever it stands in a list; the rest and the arguments for runc stay."""
    asked = {"bounding": ["CAP_KILL", "CAP_SYS_RESOURCE"], "effective": ["CAP_SYS_RESOURCE", "CAP_KILL"]}
    (tmp_path / file).write_text(json.dumps(asked, separators=(",", ":")))
    given = [part.replace("FOLDER", str(tmp_path)) for part in arguments]
    script = Path(docker.__file__).with_name("runc-without-resource")
    done = subprocess.run(
        [script, *given], env={**os.environ, "RUNC": "echo"}, capture_output=True, text=True, check=True
    )
    assert " ".join(given) == done.stdout.strip()
    assert {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"]} == json.loads((tmp_path / file).read_text())


def test_a_cluster_of_the_users_is_a_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CLUSTER= that is no file is refused by its name."""
    monkeypatch.setenv("CLUSTER", str(tmp_path / "none"))
    with pytest.raises(ClusterError, match="/none is no file; it must be the path of a kubeconfig"):
        kind.up()
