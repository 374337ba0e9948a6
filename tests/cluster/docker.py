"""The Docker daemon to use: the user's where it answers, otherwise one of our own.

Ours runs out of the cache on a socket of its own, with no default bridge and no start at boot; nothing finds it but by
`DOCKER_HOST`. `stop` ends that one by its pid file and takes back the iptables chains that it made.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import cache, debian
from tests.cluster.problems import ClusterError, UnavailableError
from tests.cluster.progress import say, step
from tests.cluster.shell import run

START_SECONDS = 60.0
KEPT_IMAGES = 4  # of one kind: other working copies of the project use other ones
CAP_SYS_RESOURCE = 24  # its bit in the capability bounding set


@dataclass(frozen=True)
class Docker:
    """A daemon that answers, and how to speak with it."""

    command: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str | Path, stdin: str | bytes | None = None, seconds: float = 600) -> str:
        """What `docker ARGUMENTS` prints."""
        return run(self.command, *arguments, stdin=stdin, env=self.environment, seconds=seconds)

    def has_image(self, reference: str) -> bool:
        """Whether the daemon's store has it already."""
        try:
            self.run("image", "inspect", reference, seconds=60)
        except ClusterError:
            return False
        return True

    def forget_others(self, reference: str, prefix: str) -> None:
        """Remove images whose names begin with `prefix`, but `reference`, the newest others and those in use."""
        names = self.run("images", "--format", "{{.Repository}}:{{.Tag}}").split()  # the newest comes first
        for old in [name for name in names if name.startswith(prefix) and name != reference][KEPT_IMAGES:]:
            with contextlib.suppress(ClusterError):
                self.run("rmi", old)

    def remove_network(self, name: str) -> None:
        """Remove a network, if it is there."""
        if name in self.run("network", "ls", "--format", "{{.Name}}").split():
            self.run("network", "rm", name)

    @property
    def ours(self) -> bool:
        """Whether the harness started this daemon."""
        return "DOCKER_HOST" in self.environment


def find() -> Docker:
    """The user's daemon, or ours where none answers; started where it does not run.

    Raises:
        UnavailableError: there is none, and this machine cannot run one of ours.
    """
    users = shutil.which("docker")
    if users and _answers(Docker(users)):
        return Docker(users)
    with cache.lock("docker"):
        ours = Docker(*_ours())
        if not _answers(ours):
            _start(ours)
            _clear_leftovers(ours)
    return ours


def running() -> Docker | None:
    """The daemon that `find` would use, if it runs; starts nothing."""
    users = shutil.which("docker")
    if users and _answers(Docker(users)):
        return Docker(users)
    if not _pid_file().exists():
        return None
    ours = Docker(*_ours())
    return ours if _answers(ours) else None


def stop() -> None:
    """End our daemon, if one runs; safe to repeat."""
    process = _pid()
    if process is None:
        return
    with step("ending our own Docker daemon"):
        os.kill(process, signal.SIGTERM)
        deadline = time.monotonic() + START_SECONDS
        while _pid() is not None and time.monotonic() < deadline:
            time.sleep(0.1)
    _restore_firewall(_run_folder())
    shutil.rmtree(_run_folder(), ignore_errors=True)


def _answers(docker: Docker) -> bool:
    try:
        docker.run("info", "--format", "{{.ServerVersion}}", seconds=20)
    except ClusterError:
        return False
    return True


def _ours() -> tuple[str, dict[str, str]]:
    variables = debian.environment(debian.tools())
    command = shutil.which("docker", path=variables["PATH"])
    if not command:
        raise UnavailableError("there is no docker client: apt-get install docker.io (or docker-cli)")
    return command, {"DOCKER_HOST": f"unix://{_run_folder()}/docker.sock", "PATH": variables["PATH"]}


def _run_folder() -> Path:
    # Short, since a socket's path has 107 bytes at most; one for each cache.
    return Path("/run") / f"irsa-{cache.digest(str(cache.root()))[:8]}"


def _pid_file() -> Path:
    return _run_folder() / "docker.pid"


def _pid() -> int | None:
    """The process of our daemon; never another that has got its number meanwhile."""
    try:
        process = int(_pid_file().read_text())
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return process if b"dockerd" in command and str(_run_folder()).encode() in command else None


def _start(docker: Docker) -> None:
    run_folder = _run_folder()
    shutil.rmtree(run_folder, ignore_errors=True)
    run_folder.mkdir(parents=True, exist_ok=True)  # a network namespace of a killed daemon may still be mounted there
    variables = debian.environment(debian.tools())
    _remember_firewall(run_folder, variables)
    with step("starting a Docker daemon of our own"):
        with (run_folder / "dockerd.log").open("ab") as log:
            # In a session of its own, so that it outlives whoever wanted it first.
            subprocess.run(
                ["setsid", "--fork", _tool("dockerd", variables), *_daemon_flags(run_folder, variables)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **variables}, check=True,
            )  # fmt: skip
        _wait(docker, run_folder)


def _clear_leftovers(docker: Docker) -> None:
    """Remove the clusters of a daemon that was killed, say with its machine, and kind's network.

    Docker starts their nodes again, all at once, and etcd does not wait for the disk here: what it held may be broken.
    A network is made with addresses that nobody has at that time, and taken up again whoever has them by then.
    """
    if nodes := docker.run("ps", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster").split():
        with step("removing the clusters that an ended Docker daemon of ours left"):
            docker.run("rm", "--force", "--volumes", *nodes)
    docker.remove_network("kind")


def _daemon_flags(run_folder: Path, variables: Mapping[str, str]) -> list[str]:
    flags = [
        f"--data-root={cache.root() / 'docker'}",
        f"--exec-root={run_folder}/exec",
        f"--pidfile={_pid_file()}",
        f"--host=unix://{run_folder}/docker.sock",
        "--bridge=none",  # kind makes a network of its own, and images are built without any
        "--storage-driver=overlay2",
        "--log-level=warn",
    ]
    if lacks_resource_capability():
        say("this machine has no CAP_SYS_RESOURCE: containers are started without it")
        wrapper = run_folder / "runc-without-resource"
        script = (Path(__file__).parent / "runc-without-resource").read_text()
        wrapper.write_text(script.replace("$RUNC", _tool("runc", variables)))
        wrapper.chmod(0o755)
        flags += [f"--add-runtime=lesser={wrapper}", "--default-runtime=lesser", "--oom-score-adjust=0"]
    return flags


def lacks_resource_capability(status: str | None = None) -> bool:
    """Whether the capability bounding set (of /proc/self/status) is without CAP_SYS_RESOURCE."""
    lines = (status or Path("/proc/self/status").read_text()).splitlines()
    bounding = next(line.split()[1] for line in lines if line.startswith("CapBnd:"))
    return not int(bounding, 16) >> CAP_SYS_RESOURCE & 1


def _wait(docker: Docker, run_folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(docker):
        if time.monotonic() > deadline:
            log = (run_folder / "dockerd.log").read_text(errors="replace").splitlines()[-20:]
            raise UnavailableError("our Docker daemon does not start:\n" + "\n".join(log))
        time.sleep(0.5)


def _tool(name: str, variables: Mapping[str, str]) -> str:
    found = shutil.which(name, path=variables["PATH"])
    if not found:
        raise UnavailableError(f"{name} is neither installed nor in Debian's packages {', '.join(debian.TOOLS)}")
    return found


def _chains(family: str, table: str, variables: Mapping[str, str]) -> list[str]:
    """The chains of one table that carry Docker's name."""
    listing = run(family, "-t", table, "-S", env=variables)
    return [line.split()[1] for line in listing.splitlines() if line.startswith("-N DOCKER")]


def _forward_policy(variables: Mapping[str, str]) -> str:
    return run("iptables", "-S", "FORWARD", env=variables).split()[2]


def _remember_firewall(run_folder: Path, variables: Mapping[str, str]) -> None:
    """Note how the machine's FORWARD policy was, where no Docker has changed it yet."""
    if not _chains("iptables", "filter", variables):
        (run_folder / "forward-policy").write_text(_forward_policy(variables))


def _another_daemon_runs() -> bool:
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if place.read_bytes().split(b"\0")[0].endswith(b"dockerd"):
                return True
    return False


def _restore_firewall(run_folder: Path) -> None:
    """Take Docker's chains out again, if they were our daemon's."""
    before = run_folder / "forward-policy"
    if not before.exists() or _another_daemon_runs():
        return
    variables = debian.environment(debian.tools())
    run("iptables", "-P", "FORWARD", before.read_text(), env=variables)
    for family, table in itertools.product(("iptables", "ip6tables"), ("nat", "filter")):
        chains = _chains(family, table, variables)
        for rule in run(family, "-t", table, "-S", env=variables).splitlines():
            if rule.startswith("-A ") and rule.split()[-1] in chains:
                run(family, "-t", table, "-D", *rule.split()[1:], env=variables)
        for action in ("-F", "-X"):
            for chain in chains:
                run(family, "-t", table, action, chain, env=variables)
