"""Option types and settings that the sub-commands share.

`SETTINGS` goes to every command: an option `--metrics-port` is also the variable `IRSA_METRICS_PORT`, whatever the
command is called, so that service links such as `IRSA_STS_PORT=tcp://…` can never be mistaken for one.
"""

import re
from typing import Any, Final

import click

SETTINGS: Final[dict[str, Any]] = {
    "auto_envvar_prefix": "IRSA",
    "show_default": True,
    "help_option_names": ["-h", "--help"],
    "max_content_width": 120,
}

# Go's strconv.ParseBool, which the Go webhook's flags and annotations follow.
GO_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
GO_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


class GoBool(click.ParamType[bool]):
    """A boolean as Go's flag package reads it: `--flag`, `--flag=false`, `--flag=T`."""

    name = "boolean"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Read one of Go's twelve spellings."""
        if isinstance(value, bool):
            return value
        if value in GO_TRUE:
            return True
        if value in GO_FALSE:
            return False
        return self.fail(f"{value!r} is no boolean; use true or false", param, ctx)


class GoDuration(click.ParamType[float]):
    """A duration as Go writes it, such as `100ms` or `1h30m`; a bare number is seconds. The value is in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the text; negative durations are refused, since nothing here can wait for less than nothing."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value)
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        parts = _DURATION.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            self.fail(f"{text!r} is no duration; write it as 90s, 100ms or 1h30m", param, ctx)
        return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


GO_BOOL: Final = GoBool()
GO_DURATION: Final = GoDuration()
PORT: Final = click.IntRange(0, 65535)
