"""`irsa oidc`, from its settings to the end of its process."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from irsa.runtime import metrics, process, tls
from irsa.runtime.health import Readiness
from irsa.runtime.listener import listen
from irsa.runtime.logs import Log
from oidc import gates
from oidc.books import Books
from oidc.errors import ConfigError, OIDCError
from oidc.lifecycle import Timing
from oidc.publisher import Publisher
from oidc.server import Limits, application
from oidc.sources import Source
from oidc.sources.ledger import LedgerFile
from oidc.throttle import Network, Throttle

log: Final = Log("oidc")

KEEPALIVE_SECONDS: Final = 75.0
LINE_LIMIT: Final = 4096  # bytes; nobody has a reason to send more for two fixed paths


class Settings(msgspec.Struct, frozen=True):
    """What the command line gives; durations in seconds. An option's help says what each is for."""

    port: int
    metrics_port: int
    host: str | None = None
    certificate: tuple[Path, Path] | None = None
    tls_minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    public_url: str | None = None
    issuer: str | None = None
    shared_issuer: bool = False
    ledger: Path | None = None
    poll: float = 10.0
    startup_grace: float = 60.0
    timing: Timing = Timing()
    pending_max_age: int = 60
    connections: int = 1000
    rate: float = 20.0
    burst: int = 200
    trusted: tuple[Network, ...] = ()
    lame_duck: float = process.LAME_DUCK_SECONDS


async def serve(settings: Settings, sources: Mapping[str, Source]) -> None:
    """Serve the issuers of `sources` (path → source) until a signal ends it.

    Raises:
        ConfigError: the certificate cannot be used.
        OSError: a port is taken.
    """
    serving = _certificate(*settings.certificate, settings.tls_minimum) if settings.certificate else None
    lifetime = process.Lifetime(settings.lame_duck)
    publishers = _publishers(settings, sources)
    work = [_readiness(lifetime.readiness, publishers, settings.startup_grace)]
    ledger = LedgerFile(settings.ledger) if settings.ledger else None
    for publisher in publishers.values():
        ready = _expect(lifetime.readiness, publisher)
        work.append(follow(publisher, ledger, settings.poll, ready))
    context = serving.context if serving else None
    if serving and settings.certificate:
        work.append(tls.follow_files(serving, *settings.certificate))
    else:
        log.warning(
            "plain HTTP: no --tls-cert is given; relying parties want https, so something before us must speak it"
        )
    app = application(publishers, _limits(settings), tls=context is not None)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(process.signals(lifetime))
        await stack.enter_async_context(process.background(*work))
        runner, port = await listen(
            metrics.application(lifetime.readiness), port=settings.metrics_port, host=settings.host
        )
        stack.push_async_callback(runner.cleanup)
        log.info("listening", what="metrics", port=port, tls=False)
        runner, port = await listen(
            app, port=settings.port, host=settings.host, context=context, line_limit=LINE_LIMIT,
            keepalive=KEEPALIVE_SECONDS, connections=settings.connections,
        )  # fmt: skip
        stack.push_async_callback(runner.cleanup)
        log.info("listening", what="documents", port=port, tls=context is not None)
        await lifetime.ended()


async def follow(
    publisher: Publisher, ledger: LedgerFile | None, seconds: float, published: Callable[[], None]
) -> None:
    """For ever: read the ledger, look at the source, wait; `published` is called when there is something to serve."""
    while True:
        if ledger is not None:
            await _read(publisher, ledger)
        if publisher.published is not None:
            published()  # before the source is asked: it may be long in answering
        await publisher.poll()
        if publisher.published is not None:
            published()
        await asyncio.sleep(seconds)


async def _read(publisher: Publisher, ledger: LedgerFile) -> None:
    try:
        publisher.read(await ledger.read())
    except OIDCError as problem:
        publisher.unreadable(problem)


def _publishers(settings: Settings, sources: Mapping[str, Source]) -> dict[str, Publisher]:
    publishers = {
        name: Publisher(
            source,
            cluster=name,
            issuer=settings.issuer,
            public_url=f"{settings.public_url.rstrip('/')}/{name}".rstrip("/") if settings.public_url else None,
            timing=settings.timing,
        )
        for name, source in sources.items()
    }
    if settings.shared_issuer:
        log.warning(gates.SHARED_WARNING)
    for publisher in publishers.values():
        others = [other for other in publishers.values() if other is not publisher]
        publisher.neighbours = neighbours(others, allowed=settings.shared_issuer)
    return publishers


def neighbours(others: list[Publisher], *, allowed: bool) -> Callable[[str], list[Books]]:
    """What finds the books of `others` that have a given issuer, and refuses where that is not `allowed`."""

    def find(issuer: str) -> list[Books]:
        found = [other for other in others if other.published is not None and other.published.issuer == issuer]
        gates.check_alone(issuer, [other.cluster for other in found], shared=allowed)
        return [other.books for other in found]

    return find


def _expect(readiness: Readiness, publisher: Publisher) -> Callable[[], None]:
    condition = f"documents of {publisher.cluster}" if publisher.cluster else "documents"
    readiness.expect(condition, "no source has answered yet, and no ledger is there")
    return lambda: readiness.met(condition)


async def _readiness(readiness: Readiness, publishers: Mapping[str, Publisher], grace: float) -> None:
    """Do not let one cluster that is away for good keep the documents of all others from being served."""
    await asyncio.sleep(grace)
    while readiness.missing:
        if any(publisher.published for publisher in publishers.values()):
            log.warning("ready without all documents", missing=sorted(readiness.missing))
            readiness.missing.clear()
        await asyncio.sleep(1)


def _limits(settings: Settings) -> Limits:
    throttle = Throttle(settings.rate, settings.burst) if settings.trusted and settings.rate else None
    return Limits(
        max_age=settings.timing.max_age,
        pending_max_age=settings.pending_max_age,
        throttle=throttle,
        trusted=settings.trusted,
    )


def _certificate(certificate: Path, key: Path, minimum: ssl.TLSVersion) -> tls.ServingCertificate:
    try:
        serving = tls.from_files(certificate, key)
    except (OSError, ValueError) as problem:
        raise ConfigError(f"--tls-cert {certificate}, --tls-key {key}: {problem}; give a PEM pair") from None
    serving.context.minimum_version = minimum
    return serving
