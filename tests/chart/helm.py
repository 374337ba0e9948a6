"""Helm, called as people call it, and the objects that come out of it.

A rendering is kept for the whole run: many tests look at the same one, and each costs a process of a tenth of a second.
"""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import binaries

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/irsa"
LOCAL = CHART / "values-local.yaml"

Object = dict[str, Any]


@functools.cache
def helm() -> str:
    """The helm command: one in PATH, if its words are those of version 4, otherwise the harness's own."""
    found = shutil.which("helm")
    if found and _version(found).startswith("v4."):
        return found
    return str(binaries.find("helm"))


def _version(command: str) -> str:
    return subprocess.run([command, "version", "--short"], capture_output=True, text=True, check=False).stdout


def run(*arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm apart from the user's own configuration, and without a cluster unless one is given."""
    environment = {**os.environ, "HELM_CONFIG_HOME": "/nonexistent", "KUBECONFIG": str(kubeconfig or "/nonexistent")}
    return subprocess.run(
        [helm(), *arguments], capture_output=True, text=True, timeout=100, check=False, env=environment
    )


class Refused(Exception):  # noqa: N818 -- it reads so in `pytest.raises(Refused)`
    """Helm did not render; the text is what it told the user."""


@dataclass(frozen=True)
class Install:
    """What a person gives to `helm install`: values by dotted path, a namespace, whether the local AWS is wanted."""

    values: str = "{}"  # JSON, so that it can be hashed
    namespace: str = "irsa-system"
    local: bool = False

    def arguments(self) -> list[str]:
        """The same as arguments of helm."""
        files = ["--values", str(LOCAL)] if self.local else []
        sets = [
            part
            for path, value in json.loads(self.values).items()
            for part in ("--set-json", f"{path}={json.dumps(value)}")
        ]
        return ["irsa", str(CHART), "--namespace", self.namespace, *files, *sets]


def install(values: Mapping[str, Any] | None = None, namespace: str = "irsa-system", *, local: bool = False) -> Install:
    """An `Install` of values such as {"webhook.replicas": 3}; a local one gets the account file that it needs."""
    given = dict(values or {})
    accounts = ("sts.accounts", "sts.accountsFile", "sts.accountsSecret")
    if local and not any(path in given for path in accounts):
        given["sts.accountsFile"] = "Accounts: []\n"
    return Install(json.dumps(given), namespace, local)


class Rendering:
    """The objects of a release."""

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects

    def __iter__(self) -> Iterator[Object]:
        return iter(self.objects)

    def kind(self, *kinds: str) -> list[Object]:
        """All objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """The object of this kind and name."""
        found = [each for each in self.kind(kind) if each["metadata"]["name"] == name]
        assert 1 == len(found), f"{len(found)} of {kind}/{name}: {self.names()}"
        return found[0]

    def names(self) -> list[str]:
        """`Kind/name` of all, sorted."""
        return sorted(f"{each['kind']}/{each['metadata']['name']}" for each in self.objects)

    def pod(self, component: str) -> Object:
        """The pod's spec in the Deployment of a component."""
        spec: Object = self.one("Deployment", f"irsa-{component}")["spec"]["template"]["spec"]
        return spec

    def container(self, component: str) -> Object:
        """The container that a component is named after."""
        return next(each for each in self.pod(component)["containers"] if each["name"] == component)


@functools.cache
def _rendered(what: Install) -> str:
    done = run("template", *what.arguments())
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def render(what: Install | None = None) -> Rendering:
    """The objects that `helm install` would send.

    Raises:
        Refused: with helm's own message.
    """
    return Rendering([each for each in yaml.load_all(_rendered(what or install()), yaml.CSafeLoader) if each])


def notes(what: Install | None = None) -> str:
    """What `helm install` would print."""
    done = run("install", *(what or install()).arguments(), "--dry-run=client")
    assert 0 == done.returncode, done.stderr
    return done.stdout.partition("NOTES:\n")[2]
