"""Reviews made to exhaust the webhook: within the body's limit, whatever is in them costs a bounded amount of memory.

Measured in a process of its own, whose peak is that of the one review; the chart gives the webhook 256 MiB.
"""

import subprocess
import sys

import pytest

ASK = """
import os, re
from pathlib import Path
from tests.security.test_webhook_bombs import BOMBS
from webhook.admission import Admission
from webhook.annotations import Defaults
from webhook.injection import Settings
from webhook.lookup import LiveLookup
from webhook.routes import BODY_LIMIT
from webhook.store import ServiceAccounts

def mebibytes(key):
    return int(re.search(key + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

table = ServiceAccounts(Defaults())
table.set("demo", "app", {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/x"})
admission = Admission(table, LiveLookup(None, Defaults(), "never"), Settings)
for start, part, end in BOMBS.values():
    if os.fork():
        assert 0 == os.wait()[1]
        continue
    body = start + part * ((BODY_LIMIT - len(start) - len(end)) // len(part)) + end
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = mebibytes("VmRSS")
    print(admission.begin(body).status, mebibytes("VmHWM") - before, flush=True)
    os._exit(0)
"""

POD = b'{"request":{"uid":"u","namespace":"demo","object":{"spec":{"serviceAccountName":"app",'
BOMBS = {
    "lists in a field that nobody reads": (b'{"request":{"uid":5,"object":{}},"x":[', b"[],", b"0]}"),
    "objects in a field that nobody reads": (POD + b'"x":[', b"{},", b"0]}}}}"),
    "one number": (b'{"request":{"uid":', b"9", b"}}"),
    "lists in lists": (b'{"request":{"uid":"u","object":', b"[", b"}}"),
    "a number in a field that nobody reads": (POD + b'"x":', b"9", b"}}}}"),
    "variables without names": (POD + b'"containers":[{"env":[', b"{},", b"{}]}]}}}}"),
    "containers without names": (POD + b'"containers":[', b'{"name":"012345678901234567890"},', b"{}]}}}}"),
    "keys again and again": (POD + b'"x":{', b'"":0,', b'"":0}}}}}'),
    "an annotation of quotes": (b'{"request":{"uid":"u","object":{"metadata":{"annotations":{"a":"', b'\\"', b'"}}}}}'),
}
MEBIBYTES = {"variables without names": 160, "containers without names": 64}


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[int, int]]:
    """Status and mebibytes by bomb, each in a process of its own."""
    done = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True, timeout=120)
    pairs = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    return dict(zip(BOMBS, pairs, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("bomb", BOMBS)
def test_seven_megabytes_stay_a_few(bomb: str, seen: dict[str, tuple[int, int]]) -> None:
    """Answered, by HTTP 200 or 400, and with some 32 MiB at most; more where each part is one that we read."""
    status, mebibytes = seen[bomb]
    assert status in {200, 400}
    assert mebibytes <= MEBIBYTES.get(bomb, 32)
