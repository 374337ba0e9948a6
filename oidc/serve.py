"""`irsa oidc`, from its options to the end of its process."""

import contextlib
import ssl
from pathlib import Path
from typing import Final

import msgspec

from irsa.runtime import metrics, process, tls
from irsa.runtime.listener import listen
from irsa.runtime.logs import Log
from oidc.errors import ConfigError
from oidc.publisher import Publisher
from oidc.server import application
from oidc.sources import Source

log: Final = Log("oidc")

CONDITION: Final = "documents"


class Settings(msgspec.Struct, frozen=True):
    """What the command line gives; durations in seconds."""

    port: int
    metrics_port: int
    bind_address: str | None = None
    certificate: tuple[Path, Path] | None = None
    public_url: str | None = None
    issuer: str | None = None
    poll: float = 10.0
    max_age: int = 3600
    lame_duck: float = process.LAME_DUCK_SECONDS


async def serve(settings: Settings, source: Source) -> None:
    """Serve until a signal ends it.

    Raises:
        ConfigError: the certificate cannot be used.
        OSError: a port is taken.
    """
    lifetime = process.Lifetime(settings.lame_duck)
    lifetime.readiness.expect(CONDITION, f"{source.place} has not answered yet")
    publisher = Publisher(source, issuer=settings.issuer, public_url=settings.public_url)
    following = [publisher.follow(settings.poll, lambda: lifetime.readiness.met(CONDITION))]
    context = None
    if settings.certificate:
        serving = _certificate(*settings.certificate)
        context = serving.context
        following.append(tls.follow_files(serving, *settings.certificate))
    app = application({"": publisher}, max_age=settings.max_age, tls=context is not None)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(process.signals(lifetime))
        await stack.enter_async_context(process.background(*following))
        for name, what, port, wrap in (
            ("metrics", metrics.application(lifetime.readiness), settings.metrics_port, None),
            ("documents", app, settings.port, context),
        ):
            runner, bound = await listen(what, port=port, host=settings.bind_address, context=wrap)
            stack.push_async_callback(runner.cleanup)
            log.info("listening", what=name, port=bound, tls=wrap is not None)
        await lifetime.ended()


def _certificate(certificate: Path, key: Path) -> tls.ServingCertificate:
    try:
        return tls.from_files(certificate, key)
    except (OSError, ValueError, ssl.SSLError) as problem:
        raise ConfigError(f"--tls-cert {certificate}, --tls-key {key}: {problem}; give a PEM pair") from None
