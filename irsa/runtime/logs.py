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
from types import TracebackType
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
        entry: dict[str, object] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            entry["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return redact(_encoded(entry))


def _encoded(entry: dict[str, object]) -> str:
    try:
        return _ENCODER.encode(entry).decode()
    except UnicodeEncodeError:
        # Half a surrogate pair, out of a client's JSON or header; the line must not be lost for it.
        return _ENCODER.encode({name: _whole(value) for name, value in entry.items()}).decode()


def _whole(value: object) -> object:
    """A value without what UTF-8 cannot carry."""
    if isinstance(value, str | int | float | None):
        return value.encode(errors="replace").decode() if isinstance(value, str) else value
    return str(value).encode(errors="replace").decode()


@lru_cache(maxsize=8)
def _second(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def redact(text: str) -> str:
    """The text without what looks like a token or a signature."""
    lower = text.lower()
    if "eyj" in lower or "signature=" in lower or "token=" in lower:
        return _SECRET.sub("[redacted]", text)
    return text  # as a rule, and found out in a twentieth of the time


_Trace = tuple[type[BaseException], BaseException, TracebackType | None]


class _Record(logging.LogRecord):
    # Without finding out file, line, thread and process, which none of our lines names: a third of what a line costs.
    _rest: Final = vars(logging.LogRecord("", 0, "", 0, "", (), None))

    def __init__(self, name: str, level: int, message: str, trace: _Trace | None, fields: dict[str, object]) -> None:
        self.__dict__.update(self._rest)
        self.name, self.levelno, self.levelname = name, level, logging.getLevelName(level)
        self.msg, self.exc_info, self.fields = message, trace, fields
        self.created = time.time()
        self.msecs = self.created % 1 * 1000


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
        if self._logger.isEnabledFor(level):
            trace = None if error is None else (type(error), error, error.__traceback__)
            self._logger.handle(_Record(self._logger.name, level, message, trace, fields))


def configure(level: str = "info") -> None:
    """Send every logger's records to standard error, one JSON object a line, from `level` (a key of `LEVELS`) up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # None of these is in a line of ours; asking for them took a third of the time of one (logging's own advice).
    logging._srcfile = None  # noqa: SLF001 -- documented under "Optimization"
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
