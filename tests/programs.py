"""Programs in other languages, which tests fetch and build once: relying parties, SDKs and evaluators by others.

Each stands in a folder of its own with its versions pinned (`go.sum`, `package-lock.json`). Where a compiler or a
registry is missing, the test is skipped with that reason; under CI it fails, since a skipped proof proves nothing.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from tests.cluster import cache

BUILD_SECONDS = 600


def go_program(folder: Path) -> Path:
    """The program of the Go module in `folder`, built for this content of it."""
    go = shutil.which("go") or missing(f"go is not installed; it builds {_name(folder)}")
    sources = [*sorted(folder.glob("*.go")), folder / "go.mod", folder / "go.sum"]

    def build(place: Path) -> None:
        environment = {**os.environ, "CGO_ENABLED": "0"}
        _run([go, "build", "-mod=readonly", "-o", str(place), "."], folder, environment)

    return cache.built(f"programs/{_name(folder)}-go-{cache.digest(*sources)}", build)


def node_modules(folder: Path) -> Path:
    """The packages that the `package-lock.json` in `folder` pins: a folder with `node_modules` in it."""
    npm = shutil.which("npm") or missing(f"npm is not installed; it fetches the packages of {_name(folder)}")
    pins = [folder / "package.json", folder / "package-lock.json"]

    def build(place: Path) -> None:
        place.mkdir()
        for pin in pins:
            shutil.copy(pin, place)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], place, dict(os.environ))

    return cache.built(f"programs/{_name(folder)}-node-{cache.digest(*pins)}", build)


def missing(what: str) -> NoReturn:
    """Skip, or fail where a skipped proof proves nothing."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def _name(folder: Path) -> str:
    return f"{folder.parent.name}-{folder.name}"


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if done.returncode:
        missing(f"{command[0]} did not succeed in {_name(folder)}: {done.stderr.strip()[-300:]}")
