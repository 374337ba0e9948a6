"""kopf's own admission path as a process: its server, its handler, its patches; the functions are this project's."""

import asyncio
from pathlib import Path
from typing import Any

import click
import kopf
import uvloop

from irsa.runtime import logs
from webhook import operator
from webhook.annotations import Defaults
from webhook.injection import Settings
from webhook.kube import Api, from_kubeconfig
from webhook.lookup import LiveLookup
from webhook.store import ServiceAccounts


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--kubeconfig", type=Path)
@click.option("--tls-cert")
@click.option("--tls-key")
@click.option("--port", type=int)
@click.argument("others", nargs=-1)
def main(kubeconfig: Path, tls_cert: str, tls_key: str, port: int, others: Any) -> None:
    """Serve until SIGTERM; a ServiceAccount is looked at live."""
    logs.configure("info")

    async def serve() -> None:
        access = from_kubeconfig(kubeconfig)
        table = ServiceAccounts(Defaults())
        async with Api(access) as api:
            for item in (await api.json("GET", "/api/v1/serviceaccounts"))["items"]:
                metadata = item["metadata"]
                table.set(metadata["namespace"], metadata["name"], metadata.get("annotations") or {})
            lookup = LiveLookup(api, Defaults(), "never")
            chosen = operator.kopf_settings(
                kopf.WebhookServer(addr="127.0.0.1", port=port, certfile=tls_cert, pkeyfile=tls_key)
            )
            handlers = operator.registry(access, table, lookup, Settings)
            await operator.operate(handlers, chosen, asyncio.Event(), lambda: None)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
