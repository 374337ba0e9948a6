"""The admission endpoint's certificate: kept, shown, and trusted by whoever calls.

With an authority of our own: its Secret holds the authorities (see `rotation`), each replica signs a leaf in memory,
`caBundle` is published before a leaf is shown that needs it, and a lost Secret is made again from what the process
remembers. With files: somebody else does all that, and we only look whether the live `caBundle` trusts what we serve.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from irsa.runtime.health import Readiness
from irsa.runtime.logs import Log
from irsa.runtime.tls import ServingCertificate
from webhook import bundle, rotation
from webhook.authority import Pair, new_authority, sign
from webhook.kube import Api, ApiError
from webhook.rotation import AUTHORITY_LIFE, LEAF_LIFE, Authorities, Step
from webhook.secrets import TLS, Secrets

log: Final = Log("webhook.endpoint")

FORBIDDEN: Final = 403
CONDITION: Final = "caBundle"


class Endpoint:
    """Keeps one endpoint's certificate in order.

    Args:
        names: DNS names of the endpoint; empty: its certificate comes from files.
        configuration: MutatingWebhookConfiguration whose `caBundle` has to trust it; empty: none.
    """

    def __init__(
        self,
        api: Api,
        secrets: Secrets,
        serving: ServingCertificate,
        readiness: Readiness,
        *,
        names: tuple[str, ...],
        secret: str,
        configuration: str,
    ) -> None:
        self._api = api
        self._secrets = secrets
        self._serving = serving
        self._readiness = readiness
        self._names = names
        self._secret = secret
        self._configuration = configuration
        self._authorities: Authorities | None = None
        self._leaf: Pair | None = None
        self._signer = b""
        self._extra_since: datetime | None = None
        self._blind = False
        self._objection = ""
        if configuration:
            readiness.expect(CONDITION, f"MutatingWebhookConfiguration {configuration} not looked at yet")

    async def round(self, now: datetime) -> None:
        """Put everything in order as of `now`.

        Raises:
            ApiError, aiohttp.ClientError, TimeoutError, BundleError: something is not in order yet.
        """
        if not self._names:
            await self._watch_files(now)
            return
        self._renew(now)
        authorities, version = await self._read(now)
        if self._leaf is None:  # better one that is not trusted yet than a port that answers nobody
            self._show(authorities, now)
        there = await self._publish(authorities, now)
        if self._signer != authorities.certificate:
            self._show(authorities, now)
        seen = there is None or self._judge(there, self._serving.chain, now)
        await self._step(authorities, rotation.step(authorities, now, seen=seen), now, version)

    def _renew(self, now: datetime) -> None:
        # From memory, before anything is asked: what keeps us from our Secret must not let the leaf run out.
        remembered = self._authorities
        if remembered is None or self._signer != remembered.certificate or not rotation.holds(remembered, now):
            return  # what is over, or has not begun where a clock was set back, signs nothing: it is replaced first
        if rotation.due(self._leaf_certificate(), now):
            self._show(remembered, now)

    async def _read(self, now: datetime) -> tuple[Authorities, str]:
        remembered = self._authorities
        there = await self._secrets.keep(
            self._secret, TLS, lambda: write(remembered) if remembered else fresh(now), usable
        )
        found, version = read(there.data), there.version
        # What is over can sign nothing, and nobody trusts it any more: there is nothing to wait for.
        while (over := rotation.step(found, now, seen=False)) in {Step.PROMOTE, Step.REPLACE}:
            found, version = await self._step(found, over, now, version)
        self._authorities = found
        return found, version

    async def _step(self, authorities: Authorities, step: Step, now: datetime, version: str) -> tuple[Authorities, str]:
        if step is Step.KEEP:
            return authorities, version
        made = new_authority("irsa webhook CA", now, AUTHORITY_LIFE)
        after = rotation.advance(authorities, step, now, (made.certificate, made.key))
        there = await self._secrets.update(self._secret, TLS, write(after), version)
        log.info("CA rotation", step=step.value, secret=self._secret)
        return read(there.data), there.version

    def _leaf_certificate(self) -> Any:  # noqa: ANN401 -- cryptography's certificate
        assert self._leaf is not None  # noqa: S101 -- `round` showed one
        return self._leaf.parsed()

    def _show(self, authorities: Authorities, now: datetime) -> None:
        self._leaf = sign(Pair(authorities.certificate, authorities.key), self._names, now, LEAF_LIFE)
        self._signer = authorities.certificate
        self._serving.show(self._leaf.certificate, self._leaf.key)
        log.info("serving certificate made", names=self._names, until=self._leaf.parsed().not_valid_after_utc)

    async def _publish(self, authorities: Authorities, now: datetime) -> dict[str, Any] | None:
        if not self._configuration:
            return None
        there = await self._look()
        wanted = authorities.published()
        if self._signer not in wanted:  # ours is of an authority that is gone: trusted until the new one is shown
            wanted = (*wanted, self._signer)
        operations, extra = bundle.corrections(there, wanted, now, self._extra_since)
        self._extra_since = (self._extra_since or now) if extra else None
        if operations:
            self._readiness.expect(CONDITION, "what the API server trusts is being corrected")
            there = await self._api.json(
                "PATCH", self._path, body=operations, content_type="application/json-patch+json"
            )
            log.info("caBundle written", configuration=self._configuration, certificates=len(wanted))
        return there

    async def _watch_files(self, now: datetime) -> None:
        if not self._configuration or self._blind:
            return
        try:
            there = await self._look()
        except ApiError as problem:
            if problem.status != FORBIDDEN:
                raise
            self._blind = True
            self._readiness.met(CONDITION)
            log.warning("no right to read the webhook configuration: whether it trusts us is not checked")
            return
        self._judge(there, self._serving.chain, now)

    def _judge(self, there: Mapping[str, Any], chain: bytes, now: datetime) -> bool:
        why = bundle.objection(there, chain, now)
        if why and why != self._objection:
            log.warning("the API server does not trust us", configuration=self._configuration, reason=why)
        self._objection = why
        if not why:
            self._readiness.met(CONDITION)
            return True
        self._readiness.expect(CONDITION, f"MutatingWebhookConfiguration {self._configuration}: {why}")
        return False

    async def _look(self) -> dict[str, Any]:
        try:
            return await self._api.json("GET", self._path)
        except ApiError as problem:
            self._readiness.expect(CONDITION, f"MutatingWebhookConfiguration {self._configuration}: {problem}")
            raise

    @property
    def _path(self) -> str:
        return f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{self._configuration}"


def fresh(now: datetime) -> dict[str, bytes]:
    """The data of a new CA's Secret."""
    made = new_authority("irsa webhook CA", now, AUTHORITY_LIFE)
    return write(Authorities(made.certificate, made.key, since=now))


def write(authorities: Authorities) -> dict[str, bytes]:
    """Authorities as a Secret's data; an empty value is left out."""
    data = {
        "tls.crt": authorities.certificate,
        "tls.key": authorities.key,
        "next.crt": authorities.next_certificate,
        "next.key": authorities.next_key,
        "previous.crt": authorities.previous,
        "since": authorities.since.isoformat().encode() if authorities.since else b"",
    }
    return {key: value for key, value in data.items() if value}


def read(data: Mapping[str, bytes]) -> Authorities:
    """Authorities out of a Secret's data.

    Raises:
        KeyError, ValueError: there are none in it.
    """
    since = data.get("since", b"").decode()
    return Authorities(
        certificate=data["tls.crt"],
        key=data["tls.key"],
        next_certificate=data.get("next.crt", b""),
        next_key=data.get("next.key", b""),
        previous=data.get("previous.crt", b""),
        since=datetime.fromisoformat(since).astimezone(UTC) if since else None,
    )


def usable(data: Mapping[str, bytes]) -> bool:
    """Whether a leaf can be signed with what a Secret holds."""
    try:
        found = read(data)
        for certificate, key in ((found.certificate, found.key), (found.next_certificate, found.next_key)):
            if certificate:
                pair = Pair(certificate, key)
                sign(pair, ("usable",), pair.parsed().not_valid_before_utc, LEAF_LIFE)
        if found.previous:
            Pair(found.previous).parsed()
    except (KeyError, ValueError, TypeError, AssertionError):
        return False
    return True
