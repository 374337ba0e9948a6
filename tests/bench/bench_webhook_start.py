"""How the webhooks start with many ServiceAccounts of 1.5 kB on a real API server, and what they weigh then.

`ready` is what `/readyz` says of ours, which is true once the list is complete; the first patched pod may come sooner,
by a live look. The others patch no pod before they have listed, and the Go webhook has no readiness. kopf's own path
lists once and does not watch; an index of kopf's own would be another matter, quadratic in their number.
"""

import functools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench import harness, webhooks
from tests.webhook.scale import fill

COUNTS = [int(each) for each in os.environ.get("BENCH_ACCOUNTS", "0,1000,10000,50000").split(",")]
ROUNDS = 3
HEADER = ("ServiceAccounts", "server", "s to first patched pod", "s to ready", "RSS MiB", "peak MiB")


def main() -> None:
    """A table, times from exec, medians of interleaved rounds."""
    print(harness.machine(*webhooks.PACKAGES))
    print(f"\nImports of ours, within the times below: {imports():.2f} s")
    rows = [row for count in COUNTS for row in starts(count)]
    print(harness.table("Start, from exec", HEADER, rows), flush=True)


def imports() -> float:
    """Seconds that a process takes to import what the webhook consists of."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import irsa.cli.webhook, webhook.serve"], check=True, env=harness.ours())
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def starts(count: int) -> Iterator[list[str]]:
    """Rows of how each webhook starts with so many ServiceAccounts."""
    with webhooks.place() as (server, folder):
        namespace = server.namespace()
        fill(server, namespace, max(count, 1))
        question = webhooks.body("4 kB", namespace)
        seen: dict[str, list[tuple[float, ...]]] = {}
        for _ in range(ROUNDS):
            for name, command in webhooks.commands(server, folder).items():
                port, metrics = harness.free_port(), harness.free_port()
                flags = [*command, f"--port={port}", f"--metrics-port={metrics}"]
                with harness.started(flags, folder / "start.log") as process:
                    first = harness.eventually(functools.partial(webhooks.patched, port, question), f"{name} patches")
                    ready = first
                    if name == webhooks.OURS:
                        ready += harness.eventually(functools.partial(harness.answers, metrics), f"{name} ready")
                    seen.setdefault(name, []).append((first, ready, *harness.memory(process.pid)))
    for name, found in seen.items():
        first, ready, now, peak = (statistics.median(values) for values in zip(*found, strict=True))
        said = f"{ready:.2f}" if name == webhooks.OURS else ""
        yield [str(count), name, f"{first:.2f}", said, f"{now:.0f}", f"{peak:.0f}"]
