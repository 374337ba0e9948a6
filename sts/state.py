"""The account file and the session keys, followed while the server runs.

Both files are read again when their content changes; a file that cannot be used leaves the old state in service, and
the log says so once. What a request sees is one state from its beginning to its end.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import Counter, Gauge

from irsa.runtime.logs import Log
from sts import loading
from sts.accounts import Accounts
from sts.credentials import SealingKeys, parse_keys

log: Final = Log("sts.state")

POLL_SECONDS: Final = 1.0  # mounted Secrets change by a symlink swap, which file notifications miss

RELOADS: Final = Counter(
    "irsa_sts_reloads_total", "Files read again, and those that could not be used.", ["file", "result"]
)
LOADED: Final = Gauge(
    "irsa_sts_accounts_loaded_timestamp", "When the account file in service was read, in seconds since the epoch."
)
KNOWN: Final = Gauge("irsa_sts_known", "What the account file in service has.", ["kind"])


@dataclass(frozen=True, slots=True)
class Moment:
    """The state that one request sees from its beginning to its end."""

    accounts: Accounts
    sealing: SealingKeys


class State:
    """What the server decides by."""

    def __init__(self, accounts: Accounts, sealing: SealingKeys) -> None:
        self._now = Moment(accounts, sealing)

    def now(self) -> Moment:
        """The state of this moment."""
        return self._now

    def use_accounts(self, content: bytes) -> None:
        """Put an account file's content into service.

        Raises:
            AccountFileError: it cannot be used; the old one stays.
        """
        began = time.perf_counter()
        accounts = loading.load(content)
        self._now = Moment(accounts, self._now.sealing)
        LOADED.set_to_current_time()
        counts = accounts.counts()
        for kind, count in counts.items():
            KNOWN.labels(kind).set(count)
        log.info("account file in service", **counts, seconds=round(time.perf_counter() - began, 3))

    def use_session_keys(self, content: bytes) -> None:
        """Put a session key file's content into service.

        Raises:
            ValueError: it cannot be used; the old keys stay.
        """
        self._now = Moment(self._now.accounts, parse_keys(content))
        log.info("session keys in service")


class Followed:
    """A file whose content goes into service when it changes."""

    def __init__(self, path: Path, use: Callable[[bytes], None]) -> None:
        self.path = path
        self._use = use
        self._seen = b""
        self._complaint = ""

    def start(self) -> None:
        """Read it for the first time.

        Raises:
            ValueError, OSError: it is missing or unusable; the text names it.
        """
        self._seen = self.path.read_bytes()
        try:
            self._use(self._seen)
        except ValueError as problem:
            raise ValueError(f"{self.path}: {problem}") from problem

    def look(self) -> None:
        """Read it again; what is unusable leaves the old state in service and is said once."""
        try:
            content = self.path.read_bytes()
            if content == self._seen:
                return
            self._seen = content
            self._use(content)
            RELOADS.labels(self.path.name, "ok").inc()
        except (OSError, ValueError) as problem:
            if str(problem) != self._complaint:
                RELOADS.labels(self.path.name, "refused").inc()
                log.error("file not reloaded; the old one stays in service", file=str(self.path), reason=str(problem))
            self._complaint = str(problem)
        except Exception as bug:  # noqa: BLE001 -- ours; a file that we read wrongly must not end the server
            RELOADS.labels(self.path.name, "refused").inc()
            log.error("bug: file not reloaded; the old one stays in service", exception=bug, file=str(self.path))
        else:
            self._complaint = ""


async def follow(files: Sequence[Followed], seconds: float = POLL_SECONDS) -> None:
    """For ever: look at the files, in a thread, so that requests go on."""
    while True:
        await asyncio.sleep(seconds)
        for file in files:
            await asyncio.to_thread(file.look)
