"""Text of YAML or JSON that remembers where each thing stood.

Values are read as JSON knows them: YAML's dates, octal numbers, `yes`/`no` and merge keys are plain text here, so that
an unquoted `2012-10-17` is the policy version it was meant as. A key that comes twice is an error. Lines are looked up
only when an error needs one. How deep a text may nest is bounded: libyaml's loader recurses in C, and what exhausts the
stack there ends the process.
"""

import contextlib
import functools
import json
import re
from typing import Any, Final

import yaml

DEPTH_LIMIT: Final = 100  # levels; an account file has some fifteen, those of a policy among them

Path = tuple[str | int, ...]
"""Keys and indexes from the document's root."""


class AccountFileError(ValueError):
    """The account file cannot be used as it is.

    Attributes:
        line: where, counted from 1; 0 where no line can be named.
        path: the keys and indexes that lead there, such as `Accounts[0].RoleDetailList[2].RoleName`.
    """

    def __init__(self, problem: str, *, line: int = 0, path: str = "") -> None:
        where = ", ".join(part for part in (f"line {line}" if line else "", path) if part)
        super().__init__(f"{where}: {problem}" if where else problem)
        self.line = line
        self.path = path


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C loader where libyaml is there
    """A loader that knows JSON's types only and refuses a key that comes twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- PyYAML's own way


for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[str, Any]:  # noqa: ANN401 -- PyYAML's loaders have no type of their own
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise AccountFileError(f"key {key!r} is no text; quote it", line=key_node.start_mark.line + 1)
        if key in found:
            raise AccountFileError(f"key {key!r} comes twice", line=key_node.start_mark.line + 1)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


class Document:
    """A document and its text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.value = _load(text)

    @functools.cached_property
    def _node(self) -> Any:  # noqa: ANN401 -- PyYAML's nodes
        return yaml.compose(self.text, Loader=_Loader)

    def line(self, path: Path) -> int:
        """The line (from 1) of the deepest thing on `path` that the text has; 0 for JSON that is no YAML."""
        try:
            _check_depth(self.text)
            node = yaml.compose(self.text, Loader=_Loader)
        except (yaml.YAMLError, AccountFileError):
            return 0
        line = 1
        for step in path:
            child = _child(node, step)
            if child is None:
                break
            line, node = child
        return line

    def error(self, path: Path, problem: str) -> AccountFileError:
        """An error at `path`."""
        return AccountFileError(problem, line=self.line(path), path=written(path))


def written(path: Path) -> str:
    """`Accounts[0].RoleName`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def parsed(path: str) -> Path:
    """The reverse of `written`; also reads msgspec's `$.Accounts[0]`, and stops at what it cannot read."""
    return tuple(int(index) if index else key for index, key in re.findall(r"\[(\d+)\]|([^.\[\]$]+)", path))


def _load(text: str) -> Any:  # noqa: ANN401 -- whatever the text says
    if text.startswith("{"):
        # JSON is YAML too, and read as that where something is wrong with it; this takes a tenth of the time.
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    try:
        _check_depth(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 -- a safe loader with fewer types
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 0
        raise AccountFileError(f"no YAML and no JSON: {problem.problem or problem.context}", line=line) from problem
    except AccountFileError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError) as problem:  # ValueError: a number of thousands of digits
        raise AccountFileError(f"no YAML and no JSON: {problem}") from problem


def _check_depth(text: str) -> None:
    """Read the text as a stream of events, which nothing recurses for; costs a fifth of loading it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_LIMIT:
            raise AccountFileError(
                f"nested deeper than {DEPTH_LIMIT} levels", line=event.start_mark.line + 1 if event.start_mark else 0
            )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None
