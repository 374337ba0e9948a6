"""Logs as one JSON object a line.

`Log.info("role assumed", role=arn, reason=…)` gives `{"time": …, "level": "info", "logger": …, "message": …, "role":
…}`. A secret does not belong into a field in the first place; as a last net, whatever looks like a JWT or an
authorization header's signature is cut before it is written, so that a traceback cannot carry one out either.
"""

import logging
import re
import sys
import time
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

# A fifth of what json costs, and a server writes a line a decision.
_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)

# header.payload.signature in base64url; and what SigV4 and presigned URLs carry.
_SECRET: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?|(?i:(?<=signature=)|(?<=x-amz-security-token=))[\w%+/=-]{16,}",
)


class Formatter(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Time (UTC, RFC 3339), level, logger, message, then the fields in the order in which they were given."""
        error = record.exc_info[1] if record.exc_info else None
        fields = getattr(record, "fields", {})
        return _line(record.created, record.levelname.lower(), record.name, record.getMessage(), fields, error).decode()


def redact(text: str) -> str:
    """The text without what looks like a token or a signature."""
    return _SECRET.sub("[redacted]", text)


class Log:
    """A logger whose fields are keyword arguments."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, **fields: object) -> None:
        """For whoever follows one request through the code."""
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        """A decision, or a step in the life of the process."""
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """Something that an operator ought to mend, while the server goes on."""
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, *, exception: BaseException | None = None, **fields: object) -> None:
        """Something failed; `exception` adds its whole trace."""
        self._write(logging.ERROR, message, fields, exception)

    def _write(self, level: int, message: str, fields: dict[str, object], error: BaseException | None = None) -> None:
        if not self._logger.isEnabledFor(level):
            return
        handlers = logging.root.handlers
        # Nobody else listens: a fifth of what a record costs on its way there.
        if len(handlers) == 1 and handlers[0] is _handler:
            line = _line(time.time(), _LEVEL_NAMES[level], self._logger.name, message, fields, error)
            try:
                stream = _handler.stream.buffer
                stream.write(line + b"\n")
                stream.flush()
            except (OSError, ValueError):  # a log that cannot be written stops no server
                pass
            return
        trace = None if error is None else (type(error), error, error.__traceback__)
        record = logging.LogRecord(self._logger.name, level, "", 0, message, (), trace)
        record.fields = fields
        self._logger.handle(record)


def configure(level: str = "info") -> None:
    """Send every logger's records to standard error, one JSON object a line, from `level` (a key of `LEVELS`) up."""
    _handler.setStream(sys.stderr)
    _handler.setFormatter(Formatter())
    logging.basicConfig(level=LEVELS[level], handlers=[_handler], force=True)
    logging.captureWarnings(capture=True)
    # None of these is in a line of ours; asking for them took a third of the time of one (logging's own advice).
    logging._srcfile = None  # noqa: SLF001 -- documented under "Optimization"
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


_handler: Final = logging.StreamHandler(sys.stderr)
_LEVEL_NAMES: Final = {number: name for name, number in LEVELS.items()}


def _line(  # noqa: PLR0917 -- what a line has
    created: float, level: str, logger: str, message: str, fields: dict[str, object], error: BaseException | None
) -> bytes:
    entry: dict[str, object] = {
        "time": f"{_second(int(created))}.{int(created % 1 * 1000):03d}Z",
        "level": level,
        "logger": logger,
        "message": message,
        **fields,
    }
    if error is not None:
        entry["exception"] = "".join(traceback.format_exception(error))
    try:
        line = _ENCODER.encode(entry)
    except UnicodeEncodeError:
        # Half a surrogate pair, out of a client's JSON or header; the line must not be lost for it.
        line = _ENCODER.encode({name: _whole(value) for name, value in entry.items()})
    if b"eyJ" in line or b"=" in line:  # without one of them the pattern, at twenty times the cost, finds nothing
        return redact(line.decode()).encode()
    return line


def _whole(value: object) -> object:
    """A value without what UTF-8 cannot carry."""
    if isinstance(value, str | int | float | None):
        return value.encode(errors="replace").decode() if isinstance(value, str) else value
    return str(value).encode(errors="replace").decode()


@lru_cache(maxsize=8)
def _second(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")
