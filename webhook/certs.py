"""What other servers and pods need of us, kept in order by every replica alike: certificates and the session key.

The certificates of oidc and sts are signed by the authority that pods are given, into Secrets that kubelet mounts. One
round does all of it, the admission endpoint's own included, and is safe to repeat; a round that fails is logged and
repeated. After SIGTERM there is no further round.
"""

import asyncio
import base64
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from cryptography import x509

from irsa.runtime.health import Readiness
from irsa.runtime.logs import Log
from webhook import rotation
from webhook.authority import Pair, new_authority, sign
from webhook.bundle import BundleError
from webhook.endpoint import Endpoint
from webhook.kube import ApiError
from webhook.secrets import OPAQUE, TLS, Secrets

log: Final = Log("webhook.certs")

ROUND_SECONDS: Final = 5.0
PODS_AUTHORITY: Final = timedelta(days=3650)  # a running pod keeps the copy that it was admitted with
SERVING_LEAF: Final = timedelta(days=365)


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept, by name.

    Attributes:
        endpoint: DNS names of the admission endpoint; empty: its certificate comes from files.
        pods_ca: Secret with the authority that pods are given and that signs `serving`; empty: nobody needs it.
        serving: Secret -> DNS names of the certificate in it.
    """

    endpoint: tuple[str, ...] = ()
    endpoint_ca: str = "irsa-webhook-ca"
    configuration: str = "irsa-webhook"
    pods_ca: str = "irsa-ca"
    serving: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    session_key: str = ""

    def sign_for(self, url: str) -> bool:
        """Whether the server at `url` shows a certificate of ours: AWS_CA_BUNDLE replaces all other roots."""
        return any(urlsplit(url).hostname in names for names in self.serving.values())


class Keeper:
    """Keeps certificates and keys.

    Args:
        trusted: called with the PEM of the authority that pods are to be given.
    """

    def __init__(
        self,
        secrets: Secrets,
        names: Names,
        *,
        endpoint: Endpoint,
        readiness: Readiness,
        trusted: Callable[[str], None],
    ) -> None:
        self._secrets = secrets
        self._names = names
        self._endpoint = endpoint
        self._readiness = readiness
        self._trusted = trusted
        readiness.expect("certificates", "not made yet")

    async def run(self) -> None:
        """Round after round, for ever."""
        complaint = ""
        while True:
            try:
                await self.round(datetime.now(UTC))
                complaint = ""
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError, BundleError, KeyError, ValueError) as problem:
                words = str(problem) or type(problem).__name__
                if words != complaint:  # once, not at every round
                    log.error("certificates not in order; trying again", reason=words, retry_seconds=ROUND_SECONDS)
                complaint = words
            except Exception as bug:  # noqa: BLE001 -- an end of these rounds would show only when certificates do
                log.error("bug: certificates not in order; trying again", exception=bug)
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self, now: datetime) -> None:
        """Put everything in order as of `now`."""
        await self._endpoint.round(now)
        if self._names.pods_ca:
            await self._serving_secrets(now)
        if self._names.session_key:
            await self._secrets.keep(self._names.session_key, OPAQUE, _session_key, lambda data: bool(data.get("key")))
        self._readiness.met("certificates")

    async def _serving_secrets(self, now: datetime) -> None:
        authority = await self._authority(self._names.pods_ca, "irsa CA", now, PODS_AUTHORITY)
        self._trusted(authority.certificate.decode())
        for secret, names in self._names.serving.items():

            def make(names: tuple[str, ...] = names) -> Mapping[str, bytes]:
                leaf = sign(authority, names, now, SERVING_LEAF)
                return {"tls.crt": leaf.certificate, "tls.key": leaf.key, "ca.crt": authority.certificate}

            def good(data: Mapping[str, bytes], names: tuple[str, ...] = names) -> bool:
                return _serves(data, authority.certificate, names, now)

            await self._secrets.keep(secret, TLS, make, good)

    async def _authority(self, secret: str, name: str, now: datetime, life: timedelta) -> Pair:
        def make() -> Mapping[str, bytes]:
            pair = new_authority(name, now, life)
            return {"tls.crt": pair.certificate, "tls.key": pair.key}

        there = await self._secrets.keep(secret, TLS, make, _is_authority)
        return Pair(there.data["tls.crt"], there.data["tls.key"])


def _session_key() -> Mapping[str, bytes]:
    return {"key": base64.urlsafe_b64encode(os.urandom(32)) + b"\n"}


def _is_authority(data: Mapping[str, bytes]) -> bool:
    try:
        x509.load_pem_x509_certificate(data["tls.crt"])
    except (KeyError, ValueError):
        return False
    return bool(data.get("tls.key"))


def _serves(data: Mapping[str, bytes], authority: bytes, names: tuple[str, ...], now: datetime) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(data["tls.crt"])
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        shown = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # noqa: BLE001 -- cryptography raises five kinds here, each means: make it anew
        return False
    same = shown.get_values_for_type(x509.DNSName) == list(names) and data.get("ca.crt") == authority
    return same and bool(data.get("tls.key")) and not rotation.due(leaf, now)
