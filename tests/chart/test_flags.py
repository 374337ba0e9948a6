"""The chart's flags are those of the commands: every container's arguments go through the real command line.

Parsed, not run; the files that a flag names are there, below the mounts of the container.
"""

import importlib
from pathlib import Path

import click
import pytest

from tests.chart.helm import Object, Rendering, render
from tests.chart.matrix import INSTALLS


def components(rendering: Rendering) -> list[str]:
    """The components of an install."""
    return [each["metadata"]["name"].removeprefix("irsa-") for each in rendering.kind("Deployment")]


def files(container: Object) -> list[str]:
    """What the flags name below /etc/irsa."""
    values = [argument.partition("=")[2] for argument in container["args"]]
    return [value for value in values if value.startswith("/etc/irsa/")]


def parse(name: str, arguments: list[str]) -> click.Context:
    """The context that `irsa NAME ARGUMENTS` would run in, down to the sub-command if one is named."""
    command = importlib.import_module(f"irsa.cli.{name}").command
    if isinstance(command, click.Group) and not arguments[0].startswith("-"):
        name, *arguments = arguments
        command = command.commands[name]
    assert isinstance(command, click.Command)
    return command.make_context(name, arguments)


@pytest.mark.parametrize("name", INSTALLS)
def test_the_command_line_takes_them(name: str, tmp_path: Path) -> None:
    rendering = render(INSTALLS[name])
    for component in components(rendering):
        container = rendering.container(component)
        for path in files(container):
            place = tmp_path / path.removeprefix("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        word, *flags = (argument.replace("=/etc/irsa/", f"={tmp_path}/etc/irsa/") for argument in container["args"])
        assert component == word
        given = parse(component, flags).params
        assert 9999 == given["metrics_port"]
        assert 8443 == given.get("port", 8443), "keys serves nothing but metrics"


@pytest.mark.parametrize("name", INSTALLS)
def test_files_are_where_volumes_are_mounted(name: str) -> None:
    rendering = render(INSTALLS[name])
    for component in components(rendering):
        container = rendering.container(component)
        volumes = {each["name"] for each in rendering.pod(component).get("volumes", [])}
        mounts = {each["mountPath"]: each["name"] for each in container.get("volumeMounts", [])}
        assert set(mounts.values()) <= volumes
        assert {str(Path(path).parent) for path in files(container)} <= mounts.keys()


def test_nothing_is_parsed_that_the_command_does_not_have() -> None:
    """The check above can fail."""
    with pytest.raises(click.NoSuchOption):
        parse("oidc", ["--no-such-flag=1"])
