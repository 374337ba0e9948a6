"""Figures of the admission path: ours beside kopf's own, and beside any other webhook that `PEER=/path` names.

Asked over HTTPS keep-alive with the same mutated reviews, over 1, 8 and 32 connections, in turns.
"""

import contextlib
import functools
import os

from tests.bench import harness, webhooks
from tests.bench.harness import Request, Subject
from tests.webhook.scale import fill

SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))


def main() -> None:
    """Tables of reviews by size and number of connections."""
    print(harness.machine(*webhooks.PACKAGES))
    with webhooks.place() as (server, folder), contextlib.ExitStack() as stack:
        namespace = server.namespace()
        fill(server, namespace, 1)
        made = {
            name: stack.enter_context(webhooks.running(name, command, folder))
            for name, command in webhooks.commands(server, folder).items()
        }
        for size in webhooks.SIZES:
            question = webhooks.body(size, namespace)
            for name, (_, port) in made.items():
                harness.eventually(functools.partial(webhooks.patched, port, question), f"{name}: a patched pod")
            subjects = [
                Subject(name, pid, Request(f"https://localhost:{port}/mutate", question))
                for name, (pid, port) in made.items()
            ]
            for connections in (1, 8, 32):
                seen = harness.interleaved(subjects, connections, SECONDS)
                title = f"Mutated reviews of {size} ({len(question)} bytes), {connections} connections"
                print(harness.table(title, harness.HEADER, harness.rows(seen, webhooks.KOPF)), flush=True)
