"""Waiting for what a cluster does in its own time: polling with a deadline, and an error that says what was awaited."""

import time
from collections.abc import Callable
from http.client import HTTPException

from tests.cluster.client import ApiError
from tests.cluster.problems import ClusterError
from tests.cluster.progress import say

READY_SECONDS = 180.0


def wait_until(
    what: str, happened: Callable[[], bool], seconds: float = READY_SECONDS, explain: Callable[[], str] = str
) -> None:
    """Ask `happened` again and again until it is true.

    Raises:
        ClusterError: it is not after `seconds`; the message says `what` was waited for, and what `explain` adds then.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise ClusterError(f"not so after {seconds:g} s: {what}\n{explain()}".rstrip())
        time.sleep(0.25)


def settle(what: str, act: Callable[[], object], seconds: float = READY_SECONDS) -> None:
    """Do `act`, which may be repeated, until it succeeds: an API server that has just started is not always there yet.

    Raises:
        ClusterError: it did not within `seconds`; the message says `what` was waited for and what went wrong last.
    """
    problems: list[Exception] = []

    def succeeded() -> bool:
        try:
            act()
        except (OSError, HTTPException, ApiError, ClusterError) as problem:
            problems.append(problem)
            return False
        return True

    try:
        wait_until(what, succeeded, seconds)
    except ClusterError as problem:
        raise ClusterError(f"{problem}; the last of {len(problems)} attempts: {problems[-1]!r}") from problems[-1]
    if problems:
        say(f"{what}: after {len(problems)} failed attempts, the first with {problems[0]!r}")
