"""The API server tests on every Kubernetes minor that is pinned here; the first time a version is built for minutes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import binaries

ROOT = Path(__file__).parents[2]
MINORS = sorted(folder.name.removeprefix("kubernetes-") for folder in binaries.MODULES.glob("kubernetes-*"))
OTHERS = [minor for minor in MINORS if minor != binaries.KUBERNETES]


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("minor", OTHERS)
def test_on_another_kubernetes(minor: str) -> None:
    """Whatever needs an API server but no nodes holds on this minor as well."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "apiserver and not nightly",
        "tests",
    ]
    variables = {"KUBERNETES": minor}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout[-8000:]
