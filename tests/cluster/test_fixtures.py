"""Where a machine can have no cluster, tests are skipped with the reason; under CI that is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITH_CLUSTER = "tests/cluster/test_kind.py::test_the_kubeconfig_is_the_harness_own"


@pytest.mark.parametrize(
    "ci,result,code",
    [pytest.param("", "1 skipped", 0, id="at-home"), pytest.param("true", "1 error", 1, id="under-CI")],
)
def test_a_machine_without_a_runtime(tmp_path: Path, ci: str, result: str, code: int) -> None:
    """Neither a Docker daemon nor Debian's tools in PATH: the reason is the same, what becomes of it is not."""
    variables = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", WITH_CLUSTER]
    inherited = {name: value for name, value in os.environ.items() if name not in {"CLUSTER", "PYTEST_ADDOPTS"}}
    done = subprocess.run(
        command, cwd=ROOT, env={**inherited, **variables}, capture_output=True, text=True, check=False
    )
    assert code == done.returncode, done.stdout
    assert result in done.stdout
    assert "apt-get, dpkg, dpkg-deb, wget missing: only Debian and its kin can make a node image" in done.stdout
