"""The life of `irsa keys run`: metrics, health and the endless look."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from irsa.runtime import metrics, process
from irsa.runtime.listener import listen
from irsa.runtime.logs import Log
from oidc import gates
from oidc.errors import ConfigError, SourceError
from oidc.ledger.events import Events
from oidc.ledger.keeper import Keeper, KeeperSettings
from oidc.ledger.lease import Leases, Watch
from oidc.ledger.store import Store, owner_reference
from oidc.lifecycle import Timing
from oidc.sources import Source

log: Final = Log("oidc.ledger")

CONDITION: Final = "ledger"


async def serve(settings: KeeperSettings, timing: Timing, sources: Mapping[str, Source], api: Any) -> None:  # noqa: ANN401
    """Keep the ledger until a signal ends it; nothing is written after that.

    Raises:
        ConfigError: the owning Deployment is not there.
        OSError: the port is taken.
    """
    lifetime = process.Lifetime(settings.lame_duck)
    if settings.shared_issuer:
        log.warning(gates.SHARED_WARNING)
    lifetime.readiness.expect(CONDITION, "the API server has not answered yet")
    owner = None
    if settings.owner_deployment:
        try:
            owner = await asyncio.to_thread(owner_reference, api, settings.namespace, settings.owner_deployment)
        except SourceError as problem:
            raise ConfigError(f"--owner-deployment {settings.owner_deployment}: {problem}") from None
    identity = f"{os.uname().nodename}_{secrets.token_hex(4)}"
    keeper = Keeper(
        sources, store=Store(api, settings.namespace, owner), leases=Leases(api, settings.namespace, owner),
        events=Events(api, settings.namespace), watch=Watch(identity), timing=timing, issuer=settings.issuer,
        shared=settings.shared_issuer,
    )  # fmt: skip
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(process.signals(lifetime))
        runner, port = await listen(
            metrics.application(lifetime.readiness), port=settings.metrics_port, host=settings.host
        )
        stack.push_async_callback(runner.cleanup)
        log.info("listening", what="metrics", port=port, tls=False)
        ready = lambda: lifetime.readiness.met(CONDITION)  # noqa: E731 -- said once, where it is used
        await _until(lifetime.stopping, keeper, settings.poll, ready)
        await lifetime.ended()


async def _until(stopping: asyncio.Event, keeper: Keeper, seconds: float, ready: Callable[[], None]) -> None:
    while not stopping.is_set():
        if await keeper.look():
            ready()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), seconds)
