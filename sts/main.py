"""The server process: state, issuers, gateway, listeners, and their end."""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from irsa.runtime import metrics, process, tls
from irsa.runtime.listener import listen
from irsa.runtime.logs import Log
from sts.accounts import Accounts
from sts.credentials import KEY_BYTES, SealingKeys
from sts.gateway import Gateway
from sts.issuers import Issuers
from sts.listener import Listener
from sts.server import Server
from sts.state import Followed, State, follow

log: Final = Log("sts")


@dataclass(frozen=True)
class Configuration:
    """The command line, read.

    Attributes:
        upstreams: service -> URL of the server behind the gateway.
    """

    accounts: Path
    port: int
    metrics_port: int
    host: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    session_key_file: Path | None = None
    upstreams: dict[str, str] = field(default_factory=dict)
    lame_duck: float = process.LAME_DUCK_SECONDS


async def serve(configuration: Configuration) -> None:
    """Serve until a signal ends it.

    Raises:
        ValueError, OSError: at start, a file is unusable or a port is taken.
    """
    lifetime = process.Lifetime(configuration.lame_duck)
    state = State(Accounts.none(), SealingKeys((os.urandom(KEY_BYTES),)))
    files = [Followed(configuration.accounts, state.use_accounts)]
    if configuration.session_key_file:
        files.append(Followed(configuration.session_key_file, state.use_session_keys))
    else:
        log.warning("no session key file: sessions end with this process, and no other replica knows them")
    for file in files:
        file.start()
    certificate = _certificate(configuration)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(process.signals(lifetime))
        session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False, trust_env=False))
        upstream = configuration.upstreams.get("s3")
        server = Server(state, Issuers(), Gateway(upstream, session) if upstream else None)
        runner, metrics_port = await listen(
            metrics.application(lifetime.readiness), port=configuration.metrics_port, host=configuration.host
        )
        stack.push_async_callback(runner.cleanup)
        port = await stack.enter_async_context(
            Listener(server).listen(
                configuration.port, configuration.host, certificate.context if certificate else None
            )
        )
        work = [follow(files)]
        if certificate and configuration.tls_cert and configuration.tls_key:
            work.append(tls.follow_files(certificate, configuration.tls_cert, configuration.tls_key))
        log.info(
            "serving",
            port=port,
            metrics_port=metrics_port,
            tls=certificate is not None,
            upstreams=configuration.upstreams,
        )
        async with process.background(*work):
            await lifetime.ended()


def _certificate(configuration: Configuration) -> tls.ServingCertificate | None:
    if configuration.tls_cert and configuration.tls_key:
        return tls.from_files(configuration.tls_cert, configuration.tls_key)
    log.warning("no certificate: this is plain HTTP, and whoever listens on the way reads the tokens")
    return None
