"""The life of a server process: uvloop, signals, a lame duck, exit code 0.

SIGTERM and SIGINT make the process not ready; it goes on serving for the lame-duck time, since endpoints converge only
after a while, then listeners close, what came in is finished, and the exit code is 0. A second signal ends it at once.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Final

import uvloop

from irsa.runtime.health import Readiness
from irsa.runtime.logs import Log

log: Final = Log("irsa.process")

LAME_DUCK_SECONDS: Final = 5.0


class Lifetime:
    """What a server knows of its own end.

    Attributes:
        readiness: what `/readyz` says.
        stopping: set by the first signal.
    """

    def __init__(self, lame_duck: float = LAME_DUCK_SECONDS) -> None:
        self.readiness = Readiness()
        self.stopping = asyncio.Event()
        self.lame_duck = lame_duck

    def stop(self) -> None:
        """Begin the end; called again, end at once."""
        if self.stopping.is_set():
            log.warning("second signal: ending at once")
            os._exit(1)
        log.info("stopping", lame_duck_seconds=self.lame_duck)
        self.readiness.stop()
        self.stopping.set()

    async def ended(self) -> None:
        """Wait for a signal, then for the lame-duck time."""
        await self.stopping.wait()
        await asyncio.sleep(self.lame_duck)


@contextlib.asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run endless work beside the body; its failure is ours, its end comes with the body's."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@contextlib.contextmanager
def signals(lifetime: Lifetime) -> Iterator[None]:
    """SIGTERM and SIGINT end `lifetime` while the body runs."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lifetime.stop)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end under uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
    log.info("ended")
    sys.stdout.flush()
