"""README's commands, copied as they stand and run on a real cluster."""

import os
import re
import subprocess

import pytest

from tests.cluster import binaries
from tests.cluster.cluster import Cluster
from tests.e2e.kind import ROOT, Installed

SECTION = "The same by hand, on any kind cluster"


@pytest.mark.timeout(420)
def test_the_commands_by_hand_print_what_readme_says(cluster: Cluster) -> None:
    """All but the first block, which is what the harness has done: a kind cluster with the images in it."""
    irsa = Installed(cluster)
    irsa.uninstall()
    irsa.kubectl("delete", "namespace", "quickstart", "--ignore-not-found", "--wait")
    commands = "\n".join(blocks("sh")[1:])
    path = ":".join(str(binaries.find(program).parent) for program in ("kubectl", "helm"))
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": f"{path}:{os.environ['PATH']}"}
    command = ["bash", "-euxo", "pipefail", "-c", commands]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    (printed,) = blocks("")
    assert printed in done.stdout
    for component in ("webhook", "oidc", "sts"):
        assert re.search(rf'"logger": ?"{component}', done.stdout)


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language in the section."""
    text = (ROOT / "README.md").read_text().split(f"## {SECTION}\n")[1].split("\n## ")[0]
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [body for name, body in fences if name == language]
