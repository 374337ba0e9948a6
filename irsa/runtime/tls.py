"""One server-side `SSLContext` whose certificate is exchanged in place.

`SSLContext.load_cert_chain` on the live context switches new handshakes at once and leaves established connections
alone (measured: 20 swaps under load, no error), which re-opening the listener does not. A pair that does not load keeps
the old one in service.
"""

import asyncio
import hashlib
import os
import ssl
from pathlib import Path
from typing import Final

from prometheus_client import Counter, Gauge

from irsa.runtime.logs import Log
from irsa.runtime.validity import not_after

log: Final = Log("irsa.tls")

NOT_AFTER: Final = Gauge(
    "irsa_tls_not_after_timestamp", "When the served certificate ends, in seconds since the epoch."
)
RELOADS: Final = Counter(
    "irsa_tls_reloads_total", "Certificates put into service, and those that could not be.", ["result"]
)

POLL_SECONDS: Final = 2.0  # mounted Secrets change by a symlink swap, which file notifications miss


class ServingCertificate:
    """The certificate that a listener shows, exchangeable while it listens.

    Attributes:
        chain: PEM of what is shown, leaf first; empty before anything is.
    """

    def __init__(self, minimum_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = minimum_version
        self.context.set_alpn_protocols(["http/1.1"])
        self.chain = b""
        self._shown = b""

    def show(self, chain: bytes, key: bytes) -> None:
        """Put a PEM chain (leaf first) and its PEM key into service for new handshakes; the key never touches a disk.

        Raises:
            ssl.SSLError: the two do not belong together or cannot be read; what was shown before stays.
        """
        digest = hashlib.sha256(chain + key).digest()
        if digest == self._shown:
            return
        # A pair that does not match would leave the live context half changed, so a throw-away one tries it first.
        _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), chain, key)
        _load(self.context, chain, key)
        self._shown = digest
        self.chain = chain
        NOT_AFTER.set(not_after(chain))
        RELOADS.labels("ok").inc()


def from_files(certificate: Path, key: Path) -> ServingCertificate:
    """A serving certificate out of two PEM files.

    Raises:
        OSError, ssl.SSLError: a file is missing or no certificate; at start that is fatal.
    """
    serving = ServingCertificate()
    serving.show(certificate.read_bytes(), key.read_bytes())
    return serving


async def follow_files(
    serving: ServingCertificate, certificate: Path, key: Path, seconds: float = POLL_SECONDS
) -> None:
    """For ever: show the files' new content when it changes; while a new pair is unusable keep the old one."""
    complaint = ""
    while True:
        await asyncio.sleep(seconds)
        try:
            serving.show(*await asyncio.to_thread(lambda: (certificate.read_bytes(), key.read_bytes())))
            complaint = ""
        except (OSError, ValueError) as problem:  # ssl.SSLError is an OSError
            if str(problem) != complaint:  # once, not at every poll
                RELOADS.labels("refused").inc()
                log.error("certificate not reloaded; the old one stays", file=str(certificate), reason=str(problem))
            complaint = str(problem)


def _load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    # ssl reads files only; an anonymous one in memory keeps the key off every disk.
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as stream:
            stream.write(chain.rstrip() + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
