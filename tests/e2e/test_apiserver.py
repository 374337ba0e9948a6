"""The demo's story beside an API server alone: as fast as the whole flow gets, only kubelet being a stand-in."""

import subprocess
import sys
from pathlib import Path

from tests.cluster.fixtures import FreshApiServer

ROOT = Path(__file__).parents[2]


def test_the_demo_plays_where_no_container_runtime_is(fresh_apiserver: FreshApiServer) -> None:
    """`make demo` without kind: exit code 0, and it says plainly what it did without."""
    command = [sys.executable, "-m", "examples.quickstart.demo", "--stage", "apiserver"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "No container runtime is used" in done.stdout
    assert "All of it came out as told." in done.stdout
