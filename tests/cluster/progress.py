"""Tells a person what takes so long: `== building etcd …`, and how long it took, on standard error.

While a step lasts longer than half a minute the elapsed time is printed again, so that a CI system sees life.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

HEARTBEAT_SECONDS = 30.0


def say(message: str) -> None:
    """Print one line of progress at once."""
    print(f"== {message}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Announce `title`, repeat it with the elapsed time while the body runs, and say what it took in all."""
    began = time.monotonic()
    ended = threading.Event()

    def heartbeat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            say(f"{title}: {time.monotonic() - began:.0f} s so far")

    say(f"{title} …")
    beat = threading.Thread(target=heartbeat, daemon=True)
    beat.start()
    try:
        yield
    except BaseException:
        say(f"{title}: failed after {time.monotonic() - began:.1f} s")
        raise
    finally:
        ended.set()
        beat.join()
    say(f"{title}: {time.monotonic() - began:.1f} s")
