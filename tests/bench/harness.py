"""How all figures are taken: servers side by side in one run, in interleaved rounds, medians of those.

The figure that can be trusted on a shared machine is the CPU that the server process spends on a request (user and
system, out of /proc); requests a second and latencies depend on the neighbours, and are given beside it. The load comes
from a process of its own (`tests.bench.load`).

A benchmark is a module `tests/bench/bench_<part>.py` with `main()`; `make bench` runs them all.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Request:
    """What is sent, again and again; an answer of another status than `status` is an error of the benchmark.

    `reconnects` is for a plain-HTTP server that closes each connection after an answer, `renews` for one that does so
    after many.
    """

    url: str
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    status: int = 200
    reconnects: bool = False
    renews: bool = False


@dataclass(frozen=True)
class Seen:
    """What one round, or the median of several, has shown.

    Attributes:
        cpu: microseconds of CPU, user and system, that the server spent on a request.
        rate: requests a second.
        p50: milliseconds; so is `p99`.
    """

    cpu: float
    rate: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Subject:
    """A running server and what to send it."""

    name: str
    pid: int
    request: Request


def measure(subject: Subject, connections: int, seconds: float) -> Seen:
    """One round.

    Raises:
        RuntimeError: the server answered something else, or closed a connection.
    """
    request = subject.request
    order = {
        "url": request.url,
        "method": request.method,
        "headers": dict(request.headers),
        "body": request.body.decode(),
        "status": request.status,
        "reconnects": request.reconnects,
        "renews": request.renews,
        "connections": connections,
        "seconds": seconds,
    }
    before = cpu_seconds(subject.pid)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=seconds + 60,
    )
    spent = cpu_seconds(subject.pid) - before
    if done.returncode:
        raise RuntimeError(f"{subject.name}: {done.stderr}")
    seen = json.loads(done.stdout)
    if seen["wrong"] or not seen["times"]:
        raise RuntimeError(
            f"{subject.name}: answers {seen['wrong']} (0: connection closed), {len(seen['times'])} in all"
        )
    times = sorted(seen["times"])
    return Seen(
        cpu=spent / len(times) * 1e6,
        rate=len(times) / seen["seconds"],
        p50=times[len(times) // 2] * 1e3,
        p99=times[int(len(times) * 0.99)] * 1e3,
    )


def interleaved(
    subjects: Sequence[Subject], connections: int = 8, seconds: float = 2.0, rounds: int = 3
) -> dict[str, Seen]:
    """The medians, by subject, of rounds in which each has its turn; a first short turn each is not counted."""
    for subject in subjects:
        measure(subject, connections, 0.3)
    turns: dict[str, list[Seen]] = {subject.name: [] for subject in subjects}
    for _ in range(rounds):
        for subject in subjects:
            turns[subject.name].append(measure(subject, connections, seconds))
    return {name: median(seen) for name, seen in turns.items()}


def median(seen: Sequence[Seen]) -> Seen:
    """Field by field."""
    return Seen(*(statistics.median(getattr(each, name) for each in seen) for name in ("cpu", "rate", "p50", "p99")))


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> tuple[float, float]:
    """Resident memory of a process now, and at its peak, in MiB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return tuple(int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def ours() -> dict[str, str]:
    """The environment of a server: compiled modules are kept from one start to the next, as an image has them."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextlib.contextmanager
def started(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs as long as the body, ended by SIGTERM; what it writes goes to `log`."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            env={**ours(), **(environment or {})},
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def eventually(check: Callable[[], bool], what: str, seconds: float = 60.0) -> float:
    """Wait until `check` holds; returns the seconds that it took.

    Raises:
        TimeoutError: it does not hold in time.
    """
    began = time.perf_counter()
    while not check():
        if time.perf_counter() - began > seconds:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return time.perf_counter() - began


def answers(port: int, path: str = "/readyz", *, tls: bool = False) -> bool:
    """Whether a server on loopback answers a GET of `path` with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as plain:
            connection = _insecure().wrap_socket(plain) if tls else plain
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def machine(*packages: str) -> str:
    """The machine and the versions, for the head of a table."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return (
        f"{os.cpu_count()} x {model}, load {os.getloadavg()[0]:.1f}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION.rsplit(' ', 3)[0]}"
        + (f", {versions}" if versions else "")
    )


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table under a title."""
    widths = [max(len(str(row[column])) for row in (header, *rows)) for column in range(len(header))]
    lines = [
        "| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (header, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return f"\n{title}\n\n" + "\n".join(lines)


def rows(seen: Mapping[str, Seen], reference: str) -> list[list[str]]:
    """Rows for `HEADER`: each subject, and its CPU as a ratio to that of `reference`."""
    base = seen[reference].cpu
    return [
        [name, f"{each.cpu:.0f}", f"{each.cpu / base:.3f}", f"{each.rate:.0f}", f"{each.p50:.2f}", f"{each.p99:.2f}"]
        for name, each in seen.items()
    ]


HEADER = ("server", "CPU µs/request", "ratio", "requests/s", "p50 ms", "p99 ms")


def _insecure() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
