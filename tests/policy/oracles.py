"""Second opinions: @cloud-copilot/iam-simulate in a Node process that answers JSON lines, and MiniStack's evaluator.

Both are fetched as pinned beside `judge.mjs`, into a cache, and are no part of what we ship. Where Node or a registry
is missing the comparison is skipped with that reason, and fails where CI is set.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

HERE: Final = Path(__file__).parent / "oracle"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "irsa"


def answers(questions: list[dict[str, Any]]) -> list[str]:
    """What the other evaluator decides on each question."""
    node = shutil.which("node") or missing("node is not installed; Node 20 or newer runs the other evaluator")
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    command = [node, str(HERE / "judge.mjs"), str(_modules())]
    run = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=100, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def _modules() -> Path:
    """The installed packages, fetched once."""
    lock = (HERE / "package-lock.json").read_bytes()
    home = CACHE / f"policy-oracle-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not home.exists():
        npm = shutil.which("npm") or missing("npm is not installed; it fetches the other evaluator")
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as fresh:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, fresh)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            run = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=100, check=False)
            if run.returncode:
                missing(f"npm could not fetch the other evaluator: {run.stderr.strip()[-300:]}")
            if not home.exists():
                Path(fresh).rename(home)
                Path(fresh).mkdir()  # what the context manager takes away
    return home / "node_modules"


def ministack() -> ModuleType:
    """MiniStack's evaluator as a module: its package pins botocore, so it is fetched alone, loaded from its file."""
    pin = HERE / "ministack.txt"
    home = CACHE / f"policy-oracle-{hashlib.sha256(pin.read_bytes()).hexdigest()[:16]}"
    if not home.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as fresh:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
            command += ["--target", fresh, "--requirement", str(pin)]
            run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
            if run.returncode:
                missing(f"pip could not fetch MiniStack: {run.stderr.strip()[-300:]}")
            if not home.exists():
                Path(fresh).rename(home)
                Path(fresh).mkdir()  # what the context manager takes away
    spec = importlib.util.spec_from_file_location("ministack_evaluator", home / "ministack/core/iam_evaluator.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def missing(what: str) -> Any:
    """Skip the comparison, or fail where it must not be skipped."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
