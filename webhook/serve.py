"""How the parts of the webhook are put together, and in what order they come and go."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client import Gauge

from irsa.runtime import metrics, process, tls
from irsa.runtime.health import Readiness
from irsa.runtime.listener import listen
from irsa.runtime.logs import Log
from webhook import ciphers, instance, operator
from webhook.admission import Admission
from webhook.certs import Keeper, Names
from webhook.endpoint import Endpoint
from webhook.figures import GoFigures, registered
from webhook.injection import Settings
from webhook.kube import Access, Api, ConfigError
from webhook.listener import Listener
from webhook.lookup import LiveLookup, Mode
from webhook.reflector import Item, reflect
from webhook.secrets import Secrets
from webhook.sources import CurrentSources
from webhook.store import ServiceAccounts

log: Final = Log("webhook")

ENTRIES: Final = Gauge("irsa_sa_cache_entries", "ServiceAccounts in the table.", ["role"])

SERVICE_ACCOUNTS: Final = "/api/v1/serviceaccounts"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `irsa webhook` was told.

    Attributes:
        files: certificate and key of the admission endpoint; None: our own authority signs it.
    """

    access: Access
    settings: Settings
    names: Names
    namespace: str
    owner: str = ""
    port: int = 443
    metrics_port: int = 9999
    files: tuple[Path, Path] | None = None
    tls_minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    tls_ciphers: tuple[str, ...] = ()
    live_lookup: Mode = "unbound"
    grace: float = 0.0
    config_map: bool = False
    identities: Path | None = None
    compose: bool = False
    lame_duck: float = process.LAME_DUCK_SECONDS


class _Mirror:
    """Fills the table, and says when it is complete."""

    def __init__(self, table: ServiceAccounts, readiness: Readiness, figures: GoFigures) -> None:
        self._table = table
        self._figures = figures
        self._fresh = table.empty()
        self._readiness = readiness
        readiness.expect("serviceaccounts", "not listed yet")

    def begin(self) -> None:
        self._fresh = self._table.empty()

    def listed(self, item: Item) -> None:
        self._fresh.set(item.metadata.namespace, item.metadata.name, item.metadata.annotations or {})

    def finish(self) -> None:
        self._table.replace(self._fresh)
        self._fresh = self._table.empty()
        self._readiness.met("serviceaccounts")
        self._figures.used = self._figures.used or len(self._table) > 0
        log.info("ServiceAccounts listed", total=len(self._table), with_role=self._table.bound)

    def changed(self, item: Item) -> None:
        self._figures.used = True
        self._table.set(item.metadata.namespace, item.metadata.name, item.metadata.annotations or {})

    def deleted(self, item: Item) -> None:
        self._table.remove(item.metadata.namespace, item.metadata.name)


async def serve(config: Config) -> None:
    """Run the webhook to its end.

    Raises:
        ConfigError: what it was told cannot be done.
    """
    if config.compose:
        config = await _composing(config)
    figures = registered()
    lifetime = process.Lifetime(config.lame_duck)
    table = ServiceAccounts(config.settings.defaults)
    ENTRIES.labels("any").set_function(lambda: len(table))
    ENTRIES.labels("bound").set_function(lambda: table.bound)
    current = config.settings

    def trusted(pem: str) -> None:
        nonlocal current
        if config.names.sign_for(current.endpoints.sts) and not config.settings.endpoints.ca_bundle:
            current = msgspec.structs.replace(
                current, endpoints=msgspec.structs.replace(current.endpoints, ca_bundle=pem)
            )

    async with Api(config.access) as api, contextlib.AsyncExitStack() as stack:
        lookup = LiveLookup(api, config.settings.defaults, config.live_lookup, config.grace)
        sources = CurrentSources(config.settings.defaults, lifetime.readiness)
        admission = Admission(table, lookup, lambda: current, lambda: sources.now, figures)
        port = Listener(admission.begin, lifetime.readiness)
        lifetime.readiness.expect("listener", f"port {config.port} not open yet")
        serving = _serving(config)
        secrets = Secrets(api, config.namespace, config.owner)
        keeper = Keeper(
            secrets,
            config.names,
            endpoint=Endpoint(
                api,
                secrets,
                serving,
                lifetime.readiness,
                names=config.names.endpoint,
                secret=config.names.endpoint_ca,
                configuration=config.names.configuration,
            ),
            readiness=lifetime.readiness,
            trusted=trusted,
        )
        runner, _ = await listen(metrics.application(lifetime.readiness), port=config.metrics_port)
        stack.push_async_callback(runner.cleanup)
        work = [asyncio.create_task(reflect(api, SERVICE_ACCOUNTS, _Mirror(table, lifetime.readiness, figures)))]
        if config.config_map:
            work.append(asyncio.create_task(sources.follow_config_map(api, config.namespace)))
        if config.identities:
            sources.read_file(config.identities)
            work.append(asyncio.create_task(sources.follow_file(config.identities)))
        writing = asyncio.create_task(keeper.run())
        if config.files:
            work.append(asyncio.create_task(tls.follow_files(serving, *config.files)))
        stop = asyncio.Event()
        ending = asyncio.create_task(_end(lifetime, writing, stop))

        @contextlib.asynccontextmanager
        async def listener() -> AsyncIterator[None]:
            async with port.listen(config.port, serving.context) as number:
                lifetime.readiness.met("listener")
                log.info("serving", port=number, metrics_port=config.metrics_port)
                yield

        def take_signals() -> None:
            stack.enter_context(process.signals(lifetime))

        handlers = operator.registry(config.access, table, lookup, lambda: current, lambda: sources.now)
        chosen = operator.kopf_settings(operator.AdmissionServer(listener))
        try:
            await operator.operate(handlers, chosen, stop, take_signals)
        finally:
            for task in (*work, writing, ending):
                task.cancel()
            await asyncio.gather(*work, writing, ending, return_exceptions=True)


def _serving(config: Config) -> tls.ServingCertificate:
    serving = tls.ServingCertificate()
    try:
        ciphers.apply(serving.context, config.tls_minimum, config.tls_ciphers)
        if config.files:
            serving.show(*(path.read_bytes() for path in config.files))
    except ValueError as problem:
        raise ConfigError(f"--tls-cipher-suites: {problem}") from problem
    except OSError as problem:
        raise ConfigError(f"--tls-cert and --tls-key: {problem}; or let --in-cluster=true make them") from problem
    return serving


async def _composing(config: Config) -> Config:
    return msgspec.structs.replace(config, settings=instance.composing(config.settings, await instance.identify()))


async def _end(lifetime: process.Lifetime, writing: asyncio.Task[None], stop: asyncio.Event) -> None:
    await lifetime.stopping.wait()
    writing.cancel()  # nothing is written after SIGTERM: an uninstall may be deleting what we would write
    await lifetime.ended()
    stop.set()
