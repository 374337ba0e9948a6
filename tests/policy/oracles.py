"""Second opinions: @cloud-copilot/iam-simulate in a Node process that answers JSON lines, and MiniStack's evaluator.

Both are fetched as pinned beside `judge.mjs`, into a cache, and are no part of what we ship. Where Node or a registry
is missing the comparison is skipped with that reason, and fails where CI is set.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from tests.cluster import cache
from tests.programs import missing, node_modules

HERE: Final = Path(__file__).parent / "oracle"


def answers(questions: list[dict[str, Any]]) -> list[str]:
    """What the other evaluator decides on each question."""
    node = shutil.which("node") or missing("node is not installed; Node 20 or newer runs the other evaluator")
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    command = [node, str(HERE / "judge.mjs"), str(node_modules(HERE) / "node_modules")]
    run = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=100, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def ministack() -> ModuleType:
    """MiniStack's evaluator as a module: its package pins botocore, so it is fetched alone, loaded from its file."""
    pin = HERE / "ministack.txt"

    def build(place: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--target", str(place), "--requirement", str(pin)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        if run.returncode:
            missing(f"pip could not fetch MiniStack: {run.stderr.strip()[-300:]}")

    home = cache.built(f"programs/ministack-{cache.digest(pin)}", build)
    spec = importlib.util.spec_from_file_location("ministack_evaluator", home / "ministack/core/iam_evaluator.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
