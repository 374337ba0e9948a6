"""examples/role-switching, run as its README says: a real STS process, and a program that is an AWS client, no more."""

import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.apiserver import free_ports

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/role-switching"
README = (EXAMPLE / "README.md").read_text()
DAVID, THERESA = (
    dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), pair, strict=True))
    for pair in re.findall(r"AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)", README)
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The STS of the README's first command, at a free port."""
    (command,) = re.findall(r"^irsa (sts .*)$", README, re.MULTILINE)
    port, metrics = free_ports(2)
    arguments = command.replace("8080", str(port)).replace("9998", str(metrics)).split()
    with subprocess.Popen(
        [sys.executable, "-m", "irsa", *arguments, "--lame-duck=0s"],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(f"http://127.0.0.1:{metrics}/readyz", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):  # noqa: S310 -- our own, http
            return
        time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def switch(endpoint: str, user: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What `python switch.py` prints for the keys of a user."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    where = {"AWS_ENDPOINT_URL_STS": endpoint, "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": "/nonexistent"}
    return subprocess.run(
        [sys.executable, EXAMPLE / "switch.py"],
        env={**clean, **where, **user},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_developer_switches(endpoint: str) -> None:
    done = switch(endpoint, DAVID)
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout in README


def test_a_tester_is_refused_in_awss_words(endpoint: str) -> None:
    """By the explicit deny of the tester's own group, though the role trusts the whole account."""
    done = switch(endpoint, THERESA)
    assert 1 == done.returncode
    assert done.stdout in README
    assert f"{done.stderr.strip()} ```" in " ".join(README.split())


def test_neither_is_anybody_with_a_wrong_secret(endpoint: str) -> None:
    done = switch(endpoint, {**DAVID, "AWS_SECRET_ACCESS_KEY": THERESA["AWS_SECRET_ACCESS_KEY"]})
    assert (1, "") == (done.returncode, done.stdout)
    assert "SignatureDoesNotMatch" in done.stderr
