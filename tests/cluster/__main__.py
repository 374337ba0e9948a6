"""The harness from the command line: `python -m tests.cluster up|down|status|binaries|image|env`."""

import argparse
import os
import sys
from collections.abc import Callable

from tests.cluster import binaries, docker, images, kind
from tests.cluster.problems import ClusterError
from tests.cluster.progress import say

MISSING = 2  # the exit code where a tool or a right is missing


def up() -> None:
    """bring a cluster up and our images into it (safe to repeat)"""  # noqa: D403, D415 -- the line of --help
    cluster = kind.up()
    for flavour in (images.LOCAL, images.DEMO):
        images.in_cluster(cluster, flavour)
    say("up. To look around:")
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    print(f"export PATH={binaries.find('kubectl').parent}:{binaries.find('helm').parent}:$PATH")


def down() -> None:
    """delete the clusters that `up` made, and end our Docker daemon"""  # noqa: D403, D415
    kind.down()
    say("down; what was built stays in the cache")


def status() -> None:
    """say what runs"""  # noqa: D403, D415
    daemon = docker.running()
    print("Docker:", "none runs" if daemon is None else "our own" if daemon.ours else "the user's")
    for cluster in kind.known():
        print(f"cluster {cluster.name}: {'ready' if cluster.is_ready() else 'not ready'}, {cluster.kubeconfig}")


def build_binaries() -> None:
    """build every Go program that is missing"""  # noqa: D403, D415
    binaries.build()


def image() -> None:
    """build our images and print their references"""  # noqa: D403, D415
    daemon = docker.find()
    for flavour in (images.IRSA, images.LOCAL, images.DEMO):
        print(images.ensure(daemon, flavour))


COMMANDS: dict[str, Callable[[], None]] = {
    "up": up,
    "down": down,
    "status": status,
    "binaries": build_binaries,
    "image": image,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=(command.__doc__ or "").strip())
    try:
        COMMANDS[parser.parse_args(arguments).command]()
    except ClusterError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return MISSING
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
