"""Programs started by the harness: their output is kept, and shown when they fail."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.problems import ClusterError

TAIL = 40  # lines of output that a failure shows


def run(
    *command: str | Path,
    stdin: str | bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 600,
) -> str:
    """The standard output of `command`; `env` is added to this process's environment.

    Raises:
        ClusterError: it is missing, it failed (with the end of its output) or it took longer than `seconds`.
    """
    arguments = [str(part) for part in command]
    shown = " ".join(arguments[:6]) + (" …" if len(arguments) > 6 else "")
    try:
        done = subprocess.run(
            arguments,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as missing:
        raise ClusterError(f"{arguments[0]} is not installed or not in PATH") from missing
    except subprocess.TimeoutExpired as late:
        raise ClusterError(f"no end after {seconds:g} s: {shown}") from late
    if done.returncode:
        output = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()[-TAIL:]
        raise ClusterError(f"exit code {done.returncode} of: {shown}\n" + "\n".join(output))
    return done.stdout.decode(errors="replace")
