"""Logs are one JSON object a line, and a last net holds what must never be in them."""

import json
import logging
import subprocess
import sys

import pytest

from irsa.runtime.logs import Formatter

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtYWRlLXVwIn0.c2lnbmF0dXJl"


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("sts", logging.INFO, __file__, 1, message, (), None)
    made.fields = fields
    return made


def test_a_record_is_one_line_of_json_with_its_fields() -> None:
    """Fields stand beside the message, and a line break inside one does not end the line."""
    line = Formatter().format(record("role assumed", role="arn:aws:iam::111122223333:role/reader", note="a\nb"))
    entry = json.loads(line)
    assert "\n" not in line
    assert ("role assumed", "info", "sts") == (entry["message"], entry["level"], entry["logger"])
    assert "arn:aws:iam::111122223333:role/reader" == entry["role"]


@pytest.mark.parametrize(
    "text",
    [TOKEN, f"Authorization: Bearer {TOKEN}", "?X-Amz-Signature=" + "a1" * 32, "Signature=" + "b2" * 32],
    ids=["jwt", "bearer", "presigned", "header"],
)
def test_what_looks_like_a_secret_is_cut(text: str) -> None:
    """Neither in a message nor in a field."""
    secret = text.rpartition("=")[2].rpartition(" ")[2]
    assert secret not in Formatter().format(record(text))
    assert secret not in Formatter().format(record("x", field=text))


def test_half_a_surrogate_pair_loses_no_line() -> None:
    """A client's JSON may hold one; UTF-8 cannot, and the decision is logged all the same."""
    entry = json.loads(Formatter().format(record("refused", kid="a\ud800", seen=["\ud800"], count=3)))
    assert ("refused", "a?", 3) == (entry["message"], entry["kid"], entry["count"])


WRITE = """
import logging, sys
from irsa.runtime import logs
logs.configure("info")
for _ in range(2):
    try:
        raise ValueError("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtYWRlLXVwIn0.c2lnbmF0dXJl")
    except ValueError as problem:
        logs.Log("x").error("it failed", exception=problem, a=1, b="\\ud800", c=["d"])
    logs.Log("x").debug("not wanted")
    logging.root.addHandler(logging.NullHandler())
del logging.root.handlers[1:]
sys.stderr.close()
logs.Log("x").error("nobody can read this")
print("alive")
"""


def test_a_line_is_the_same_by_the_short_way_and_by_loggings_own() -> None:
    """Alone we write at once, beside other handlers by way of a record; a log that cannot be written stops nobody."""
    done = subprocess.run([sys.executable, "-c", WRITE], check=True, capture_output=True, text=True)
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert first.pop("time")[:11] == second.pop("time")[:11]
    assert first == second
    assert ("error", "it failed", 1, "?") == tuple(first[key] for key in ("level", "message", "a", "b"))
    assert "[redacted]" in first["exception"]
    assert "alive\n" == done.stdout
