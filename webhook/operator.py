"""The kopf operator: its life cycle, its login and the reference handler, around an admission server of our own.

kopf's own admission path costs 2.4 to 3.9 ms of CPU a review, so the server answers without it. The handler registered
here does the same by kopf's means, from the same pure functions; tests compare the two.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import msgspec

from irsa.runtime.logs import Log
from webhook import patch, review
from webhook.framework import kopf
from webhook.grants import Sources, grant
from webhook.injection import Settings
from webhook.kube import Access
from webhook.lookup import LiveLookup
from webhook.model import AdmissionRequest, GroupVersionResource, Operation, Pod
from webhook.store import ServiceAccounts

log: Final = Log("webhook.operator")

Listener = Callable[[], AbstractAsyncContextManager[None]]


class Pauses:
    """Seconds between kopf's attempts to reach the API server: without end, where its own give up after a minute.

    The process would end then, and be started again by kubelet with pauses of up to five minutes, in which the API
    server may long be back.
    """

    def __iter__(self) -> Iterator[float]:
        """From the beginning, for each request."""
        return itertools.chain((0.1, 0.5, 1.0, 2.0), itertools.repeat(5.0))


def kopf_settings(server: kopf.WebhookServerProtocol | None) -> kopf.OperatorSettings:
    """kopf, told to write nothing: no configuration of its own, no events, no peering."""
    chosen = kopf.OperatorSettings()
    chosen.admission.managed = None
    chosen.admission.server = server
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.peering.standalone = True
    chosen.process.ultimate_exiting_timeout = 60
    chosen.networking.error_backoffs = Pauses()
    chosen.networking.request_timeout = 10.0  # one that is never answered is asked again
    return chosen


def registry(
    access: Access,
    table: ServiceAccounts,
    lookup: LiveLookup,
    current: Callable[[], Settings],
    sources: Callable[[], Sources] = Sources,
) -> kopf.OperatorRegistry:
    """Our login, and admission by kopf's own means."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)  # type: ignore[untyped-decorator,unused-ignore]
    async def login(**_: Any) -> kopf.ConnectionInfo:  # noqa: ANN401 -- kopf's arguments
        return connection(access)

    @kopf.on.mutate("", "v1", "pods", id="mutate", operations=["CREATE"], registry=handlers)
    async def mutate(body: kopf.Body, patch: kopf.Patch, warnings: list[str], **_: Any) -> None:  # noqa: ANN401
        await reference(body, patch, warnings, table=table, lookup=lookup, settings=current(), sources=sources())

    return handlers


async def reference(
    body: kopf.Body,
    change: kopf.Patch,
    warnings: list[str],
    *,
    table: ServiceAccounts,
    lookup: LiveLookup,
    settings: Settings,
    sources: Sources,
) -> None:
    """The same decision as the server's, written down as kopf wants it."""
    pod = msgspec.convert(dict(body), Pod)
    resource = GroupVersionResource(version="v1", resource="pods")
    request = AdmissionRequest(operation="CREATE", resource=resource, object=pod)
    namespace, name = review.account_of(request)
    standing = table.find(namespace, name)
    if lookup.wanted(namespace, name, standing) and not sources.settled(namespace, name):
        standing = await lookup.find(namespace, name, standing)
    decision = review.decide(request, grant(namespace, name, standing, sources, settings.defaults), settings)
    warnings.extend(decision.warnings)
    if decision.operations:
        change.fns.append(lambda document: _change(document, decision.operations))


def _change(document: Any, operations: list[Operation]) -> None:  # noqa: ANN401 -- kopf's mutable body
    patch.apply(document, operations)


def connection(access: Access) -> kopf.ConnectionInfo:
    """Our access to the API server in kopf's words."""
    certificate, key = access.certificate or (None, None)
    header = access.authorization()
    return kopf.ConnectionInfo(
        server=access.server,
        ca_data=access.ca_pem or None,
        insecure=access.insecure or None,
        certificate_data=certificate,
        private_key_data=key,
        token=access.token if header else None,
        default_namespace=access.namespace or None,
    )


class AdmissionServer:
    """kopf's WebhookServerProtocol: holds `listener` open until the operator ends."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    async def __call__(self, _: kopf.WebhookFn) -> AsyncIterator[kopf.WebhookClientConfig]:
        """Serve; the configuration in the cluster is the chart's, so what is yielded is of no effect."""
        async with self._listener():
            yield kopf.WebhookClientConfig()
            await asyncio.Event().wait()


async def operate(
    handlers: kopf.OperatorRegistry, chosen: kopf.OperatorSettings, stop: asyncio.Event, started: Callable[[], None]
) -> None:
    """Run the operator until `stop`; `started` is called once its own signal handlers are in place, to replace them."""
    existing = asyncio.all_tasks()
    # Named here, since kopf would look up the user's name, and a container's user has none.
    name: Any = "irsa-webhook"
    tasks = await kopf.spawn_tasks(
        registry=handlers, settings=chosen, identity=name, standalone=True, clusterwide=True, stop_flag=stop
    )
    started()
    await kopf.run_tasks(tasks, ignored=existing)
