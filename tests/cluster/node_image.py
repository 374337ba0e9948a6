"""A kind node image made here, for where the public one cannot be pulled.

It is a minimal Debian with systemd, kind's own base files out of its Go module, our Go binaries, and the images of the
control plane made of these binaries and put into the node's containerd store. What kubeadm wants under which name,
kubeadm says itself, so nothing here repeats a version.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.cluster import archive, binaries, cache, debian
from tests.cluster.docker import Docker
from tests.cluster.problems import ClusterError
from tests.cluster.progress import step
from tests.cluster.shell import run

# What the Dockerfile of kind's base image installs, without NFS, iSCSI and FUSE; runc and the CNI plugins are Debian's.
PACKAGES = (
    *("systemd", "systemd-sysv", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount"),
    *("kmod", "libseccomp2", "bash", "ca-certificates", "curl", "jq", "procps", "hostname"),
    *("containernetworking-plugins", "runc"),
)
CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap", "ptp")
PROXY_PROGRAMS = ("xtables-nft-multi", "xtables-legacy-multi", "nft", "conntrack")
START_SECONDS = 30.0

# One node with the first pod range: a static configuration does what kind's own CNI daemon does.
CNI = {
    "cniVersion": "0.4.0",
    "name": "static",
    "plugins": [
        {
            "type": "ptp",
            "ipMasq": True,
            "mtu": 1500,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni-ipam-state",
                "routes": [{"dst": "0.0.0.0/0"}],
                "ranges": [[{"subnet": "10.244.0.0/24"}]],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
# kind applies both files; the first has nothing to do here, the second makes claims wait for a volume made by hand.
MANIFESTS = {
    "default-cni.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: static-cni, namespace: kube-system}
data: {configuration: /etc/cni/net.d/10-ptp.conflist}
""",
    "default-storage.yaml": """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
""",
}


def ensure(docker: Docker) -> str:
    """The reference of our node image in the daemon's store; made where it is missing."""
    programs = [str(binaries.folder(binaries.source(name).module)) for name in binaries.EVERYTHING]
    digest = cache.digest(" ".join(sorted(programs)), Path(__file__), Path(archive.__file__))
    reference = f"irsa/node:{binaries.kubernetes_version()}-{debian.release()}-{digest}"
    if not docker.has_image(reference):
        binaries.build()
        root = debian.root_file_system("node", PACKAGES)
        with cache.lock("node-image"), cache.scratch() as folder:
            if not docker.has_image(reference):
                with step(f"making the node image {reference}"):
                    _make(docker, reference, root, folder)
                docker.forget_others(reference, f"irsa/node:{binaries.kubernetes_version()}-")
    return reference


def _make(docker: Docker, reference: str, packed: Path, folder: Path) -> None:
    root = folder / "root"
    root.mkdir()
    run("tar", "-C", root, "-xf", packed)
    _add_base_files(root)
    _add_programs(root)
    _configure(root)
    _preload(root, _images(root, folder), folder)
    for superfluous in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/lib/cni"):
        shutil.rmtree(root / superfluous, ignore_errors=True)
    _import(docker, reference, root)


def _add_base_files(root: Path) -> None:
    base = binaries.module_folder("kind", "sigs.k8s.io/kind") / "images/base/files"
    # The Go module cache is read-only and knows no execute bits.
    run("cp", "-r", "--no-preserve=mode", f"{base}/.", f"{root}/")
    for program in [*(root / "usr/local/bin").iterdir(), *(root / "kind/bin").iterdir()]:
        program.chmod(0o755)
    units = root / "lib/systemd/system"
    unwanted = [
        *units.glob("sysinit.target.wants/systemd-tmpfiles-setup.service"),
        *units.glob("multi-user.target.wants/*"),
        *(root / "etc/systemd/system").glob("*.wants/*"),
        *units.glob("local-fs.target.wants/*"),
        *units.glob("sockets.target.wants/*udev*"),
        *units.glob("sockets.target.wants/*initctl*"),
        *units.glob("basic.target.wants/*"),
    ]
    for link in unwanted:
        link.unlink()
    with (root / "etc/systemd/journald.conf").open("a") as stream:
        stream.write("ReadKMsg=no\n")
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(parents=True, exist_ok=True)
    for unit in ("kubelet", "containerd", "undo-mount-hacks"):
        (wanted / f"{unit}.service").symlink_to(f"/etc/systemd/system/{unit}.service")
    (root / "etc/systemd/system/systemd-binfmt.service").symlink_to("/dev/null")


def _add_programs(root: Path) -> None:
    places = {
        "usr/bin": ("kubelet", "kubectl", "kubeadm"),
        "usr/local/bin": ("containerd", "containerd-shim-runc-v2", "ctr"),
    }
    for place, programs in places.items():
        for program in programs:
            shutil.copy(binaries.find(program), root / place / program)
    (root / "opt/cni/bin").mkdir(parents=True)
    for plugin in CNI_PLUGINS:
        shutil.copy(root / "usr/lib/cni" / plugin, root / "opt/cni/bin" / plugin)


def _configure(root: Path) -> None:
    configuration = root / "etc/containerd/config.toml"
    text = configuration.read_text()
    changes = {
        "SystemdCgroup = true": "SystemdCgroup = false",
        # Lowering a process's score needs CAP_SYS_RESOURCE, which the host may not have.
        "restrict_oom_score_adj = false": "restrict_oom_score_adj = true",
        '"registry.k8s.io/pause:3.10"': f'"{_image("pause")}"',
    }
    for old, new in changes.items():
        if old not in text:
            raise ClusterError(f"kind's containerd configuration has no {old} any more; see {__file__}")
        text = text.replace(old, new)
    configuration.write_text(text)
    spec = json.loads(run(binaries.find("ctr"), "oci", "spec"))
    hooks = spec.setdefault("hooks", {}).setdefault("createContainer", [])
    hooks.append({"path": "/kind/bin/mount-product-files.sh"})
    spec["process"].pop("rlimits", None)
    files = {
        "etc/containerd/cri-base.json": json.dumps(spec),
        "etc/cni/net.d/10-ptp.conflist": json.dumps(CNI),
        "kind/version": binaries.kubernetes_version(),
        **{f"kind/manifests/{name}": text for name, text in MANIFESTS.items()},
    }
    (root / "etc/kubernetes/manifests").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def _image(name: str) -> str:
    """The reference under which kubeadm wants an image; `name` is its last part."""
    version = binaries.kubernetes_version()
    listing = run(binaries.find("kubeadm"), "config", "images", "list", "--kubernetes-version", version)
    return next(line for line in listing.split() if line.split("/")[-1].split(":")[0] == name)


def _images(root: Path, folder: Path) -> list[Path]:
    """The archives of the control plane's images."""
    plain = {name: f"/usr/local/bin/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")}
    plain |= {"etcd": "/usr/local/bin/etcd", "coredns": "/coredns", "pause": "/pause"}
    archives = []
    for name, inside in plain.items():
        archives.append(folder / f"{name}.tar")
        # kubeadm's manifests call these by name, and coredns and pause by their entry points.
        entrypoint = [inside] if name in {"coredns", "pause"} else [name]
        archive.write(archives[-1], _image(name), entrypoint, {inside: binaries.find(name)})
    archives.append(folder / "kube-proxy.tar")
    archive.write(
        archives[-1], _image("kube-proxy"), ["/usr/local/bin/kube-proxy"], {"/": _proxy_root(root, folder / "proxy")}
    )
    return archives


def _proxy_root(root: Path, proxy: Path) -> Path:
    """kube-proxy with iptables, nft and conntrack, and every library of theirs and of the xtables plugins.

    Without the plugins' libraries (libxt_statistic wants libm) everything says Ready, and Services with two endpoints
    do not work.
    """
    for directory in ("usr/sbin", "usr/local/bin", "usr/lib", "usr/lib64", "run", "etc"):
        (proxy / directory).mkdir(parents=True)
    for link in ("lib", "lib64", "sbin"):
        (proxy / link).symlink_to(f"usr/{link}")
    shutil.copy(binaries.find("kube-proxy"), proxy / "usr/local/bin/kube-proxy")
    for program in PROXY_PROGRAMS:
        shutil.copy(root / "usr/sbin" / program, proxy / "usr/sbin" / program)
    plugins = next((root / "usr/lib").glob("*-linux-gnu*/xtables"))
    shutil.copytree(plugins, proxy / plugins.relative_to(root))
    inside = [f"/usr/sbin/{program}" for program in PROXY_PROGRAMS]
    inside += [f"/{plugin.relative_to(root)}" for plugin in sorted(plugins.glob("*.so"))]
    for library in libraries(run("chroot", root, "ldd", *inside)):
        target = proxy / "usr" / library.lstrip("/").removeprefix("usr/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / library.lstrip("/"), target)
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            (proxy / "usr/sbin" / f"{name}{suffix}").symlink_to("xtables-nft-multi")
    for trial in (("iptables", "-m", "statistic", "--help"), ("nft", "--version"), ("conntrack", "--version")):
        run("chroot", proxy, *trial)
    return proxy


def libraries(listing: str) -> list[str]:
    """The files that `ldd` names, each once."""
    words = [word for line in listing.splitlines() if "(0x" in line for word in line.split()]
    return sorted({word for word in words if word.startswith("/") and not word.endswith(":")})


def _preload(root: Path, archives: list[Path], folder: Path) -> None:
    """Put images into the containerd store of the node, by a containerd that works on it for the time being."""
    store, state = root / "var/lib/containerd", folder / "state"
    store.mkdir(parents=True, exist_ok=True)
    state.mkdir()
    socket = state / "containerd.sock"
    cri = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]
    text = f'version = 3\nroot = "{store}"\nstate = "{state}"\ndisabled_plugins = {json.dumps(cri)}\n'
    (folder / "containerd.toml").write_text(
        f'{text}[grpc]\naddress = "{socket}"\n[ttrpc]\naddress = "{socket}.ttrpc"\n'
    )
    ctr: list[str | Path] = [binaries.find("ctr"), "--address", socket, "--namespace", "k8s.io"]
    with (folder / "containerd.log").open("wb") as log:
        daemon = subprocess.Popen(
            [binaries.find("containerd"), "--config", folder / "containerd.toml"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "PATH": f"{binaries.find('containerd').parent}:{os.environ['PATH']}"},
        )  # fmt: skip
    try:
        _wait_for(socket, daemon, folder / "containerd.log")
        for each in archives:
            label = "--label=io.cri-containerd.pinned=pinned"
            run(*ctr, "images", "import", label, "--all-platforms", "--no-unpack", "--digests", each)
    finally:
        daemon.terminate()
        daemon.wait()


def _wait_for(socket: Path, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            run(binaries.find("ctr"), "--address", socket, "version", seconds=10)
        except ClusterError as problem:
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise ClusterError(f"containerd does not start:\n{log.read_text()[-2000:]}") from problem
            time.sleep(0.25)
        else:
            return


def _import(docker: Docker, reference: str, root: Path) -> None:
    changes = [
        "ENV container=docker PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        'ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]',
    ]
    options = [part for change in changes for part in ("--change", change)]
    with subprocess.Popen(["tar", "-C", root, "--numeric-owner", "-c", "."], stdout=subprocess.PIPE) as packing:
        done = subprocess.run(
            [docker.command, "import", *options, "-", reference],
            stdin=packing.stdout, capture_output=True, env={**os.environ, **docker.environment}, check=False,
        )  # fmt: skip
    if packing.returncode or done.returncode:
        raise ClusterError(f"docker import failed: {done.stderr.decode(errors='replace')}")
