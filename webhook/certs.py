"""Certificates and keys, kept in order by every replica alike.

The admission endpoint's authority stands in a Secret; each replica signs a leaf of its own in memory and writes the
authority into the webhook configuration's `caBundle`. The other servers' certificates are signed by the authority that
pods are given, into Secrets that kubelet mounts. One round does all of it and is safe to repeat; a round that fails is
logged and repeated. After SIGTERM there is no further round.
"""

import asyncio
import base64
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from cryptography import x509

from irsa.runtime.health import Readiness
from irsa.runtime.logs import Log
from irsa.runtime.tls import ServingCertificate
from webhook import rotation
from webhook.authority import Pair, new_authority, sign
from webhook.kube import Api, ApiError
from webhook.secrets import Secrets

log: Final = Log("webhook.certs")

ROUND_SECONDS: Final = 5.0
ENDPOINT_AUTHORITY: Final = timedelta(days=365)
ENDPOINT_LEAF: Final = timedelta(days=7)
PODS_AUTHORITY: Final = timedelta(days=3650)  # a running pod keeps the copy that it was admitted with
SERVING_LEAF: Final = timedelta(days=365)

OPAQUE: Final = "Opaque"
TLS: Final = "kubernetes.io/tls"


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept, by name.

    Attributes:
        endpoint: DNS names of the admission endpoint; empty: its certificate is not ours to make.
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
        api: Api,
        secrets: Secrets,
        names: Names,
        *,
        serving: ServingCertificate,
        readiness: Readiness,
        trusted: Callable[[str], None],
    ) -> None:
        self._api = api
        self._secrets = secrets
        self._names = names
        self._serving = serving
        self._readiness = readiness
        self._trusted = trusted
        self._leaf: Pair | None = None
        self._signer = b""
        readiness.expect("certificates", "not made yet")

    async def run(self) -> None:
        """Round after round, for ever."""
        complaint = ""
        while True:
            try:
                await self.round(datetime.now(UTC))
                complaint = ""
            except (ApiError, aiohttp.ClientError, TimeoutError, OSError, KeyError, ValueError) as problem:
                words = str(problem) or type(problem).__name__
                if words != complaint:  # once, not at every round
                    log.error("certificates not in order; trying again", reason=words, retry_seconds=ROUND_SECONDS)
                complaint = words
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self, now: datetime) -> None:
        """Put everything in order as of `now`."""
        if self._names.endpoint:
            await self._endpoint(now)
        if self._names.pods_ca:
            await self._serving_secrets(now)
        if self._names.session_key:
            await self._secrets.keep(self._names.session_key, OPAQUE, _session_key, lambda data: bool(data.get("key")))
        self._readiness.met("certificates")

    async def _endpoint(self, now: datetime) -> None:
        authority = await self._authority(self._names.endpoint_ca, "irsa webhook CA", now, ENDPOINT_AUTHORITY)
        if self._leaf is None or self._signer != authority.certificate or rotation.due(self._leaf.parsed(), now):
            self._leaf = sign(authority, self._names.endpoint, now, ENDPOINT_LEAF)
            self._signer = authority.certificate
            self._serving.show(self._leaf.certificate, self._leaf.key)
            log.info("serving certificate made", names=self._names.endpoint)
        if self._names.configuration:
            await self._bundle(authority.certificate)

    async def _bundle(self, wanted: bytes) -> None:
        name = self._names.configuration
        path = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{name}"
        try:
            configuration = await self._api.json("GET", path)
        except ApiError as problem:
            self._readiness.expect("caBundle", f"MutatingWebhookConfiguration {name}: {problem}")
            raise
        operations: list[dict[str, Any]] = [
            {
                "op": "add",
                "path": f"/webhooks/{index}/clientConfig/caBundle",
                "value": base64.b64encode(wanted).decode(),
            }
            for index, webhook in enumerate(configuration.get("webhooks") or ())
            if base64.b64decode(webhook["clientConfig"].get("caBundle") or "") != wanted
        ]
        if operations:
            self._readiness.expect(
                "caBundle", f"MutatingWebhookConfiguration {name} does not trust our certificate yet"
            )
            version = configuration["metadata"]["resourceVersion"]
            operations.insert(0, {"op": "test", "path": "/metadata/resourceVersion", "value": version})
            await self._api.json("PATCH", path, body=operations, content_type="application/json-patch+json")
            log.info("caBundle written", configuration=name)
        self._readiness.met("caBundle")

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
