"""Issuers' keys: fetched by discovery, cached, asked for again when a token names a key that is not there.

One fetch for an issuer at a time, and all who need it wait for that one. A set is good for five minutes; an unknown kid
brings one early refresh in thirty seconds at most, so that nobody can make us flood an issuer with invented kids. While
an issuer is away its last keys serve for an hour, and nobody waits for it whose key is among them. Answers of more than
a MiB, redirects and anything slower than five seconds are failures.
"""

import asyncio
import json
import math
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from prometheus_client import Counter

from irsa.runtime.logs import Log
from sts import jwks, refusals
from sts.accounts import Local, Provider
from sts.loading import public

log: Final = Log("sts.issuers")

FRESH_SECONDS: Final = 300.0
STALE_SECONDS: Final = 3600.0
COOL_DOWN_SECONDS: Final = 30.0  # between refreshes for unknown kids
RETRY_SECONDS: Final = 1.0  # between fetches that fail
TIMEOUT_SECONDS: Final = 5.0  # for discovery and keys together
SIZE_LIMIT: Final = 1024 * 1024
# kube-apiserver answers 406 for its key set where this is application/json alone.
ACCEPT: Final = "application/json, application/jwk-set+json, */*;q=0.5"
# AWS refuses a provider whose discovery document lacks one of these.
REQUIRED_MEMBERS: Final = (
    "issuer", "jwks_uri", "response_types_supported", "subject_types_supported",
    "id_token_signing_alg_values_supported",
)  # fmt: skip

FETCHES: Final = Counter("irsa_sts_jwks_fetches_total", "Fetches of an issuer's keys.", ["result"])


class Unreachable(Exception):  # noqa: N818 -- a state of the issuer
    """The issuer could not be asked; trying again may help."""


class Unusable(Exception):  # noqa: N818 -- a state of the issuer
    """The issuer answered, and its answer cannot serve."""


@dataclass
class _Entry:
    """What is known of one issuer.

    Attributes:
        fetched: when its keys came.
        tried: when the last fetch ended, well or not.
        fetch: the one that is under way.
    """

    keys: jwks.KeySet = field(default_factory=dict)
    fetched: float = -math.inf
    tried: float = -math.inf
    failure: Unreachable | Unusable | None = None
    fetch: asyncio.Task[None] | None = None

    def find(self, kid: str) -> tuple[jwks.Key, ...]:
        """The keys of that name; all of them for a token that names none."""
        return self.keys.get(kid, ()) if kid else tuple(key for keys in self.keys.values() for key in keys)


class Issuers:
    """The keys of all issuers that were asked for; `timeout` is in seconds, for discovery and keys together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, timeout: float = TIMEOUT_SECONDS) -> None:
        self._entries: dict[tuple[str, Local | None], _Entry] = {}
        self._clock = clock
        self._timeout = timeout

    def known(self, provider: Provider, kid: str) -> tuple[jwks.Key, ...]:
        """The provider's keys named `kid` if they are fresh, else none: then `keys` is to be waited for."""
        entry = self._entries.get((provider.url, provider.local))
        return () if entry is None or self._age(entry) > FRESH_SECONDS else entry.find(kid)

    async def keys(self, provider: Provider, kid: str) -> tuple[jwks.Key, ...]:
        """The provider's keys named `kid`; a token without one is tried with every key.

        Raises:
            Refused: there is no such key, or the issuer's documents cannot be had or used.
        """
        entry = self._entries.setdefault((provider.url, provider.local), _Entry())
        if self._age(entry) > FRESH_SECONDS or not entry.find(kid):
            waits = not (self._serves(entry, kid) and self._away(entry))
            if entry.fetch is None and self._cooled(entry):
                entry.fetch = asyncio.create_task(self._refresh(entry, provider))
            if entry.fetch is not None and waits:
                await asyncio.shield(entry.fetch)
        if self._serves(entry, kid):
            return entry.find(kid)
        if self._age(entry) <= STALE_SECONDS:
            raise refusals.no_verification_key(f"{provider.url} publishes no key {kid[:64]!r}")
        if isinstance(entry.failure, Unreachable):
            raise refusals.provider_unreachable(f"{provider.url}: {entry.failure}")
        raise refusals.no_verification_key(f"{provider.url}: {entry.failure}")

    def _age(self, entry: _Entry) -> float:
        return self._clock() - entry.fetched

    def _serves(self, entry: _Entry, kid: str) -> bool:
        return self._age(entry) <= STALE_SECONDS and bool(entry.find(kid))

    def _away(self, entry: _Entry) -> bool:
        """Whether the issuer failed just now, so that to wait for it would be in vain."""
        return entry.failure is not None and self._clock() - entry.tried <= COOL_DOWN_SECONDS

    def _cooled(self, entry: _Entry) -> bool:
        limit = COOL_DOWN_SECONDS if self._age(entry) <= FRESH_SECONDS else RETRY_SECONDS
        return self._clock() - entry.tried > limit

    async def _refresh(self, entry: _Entry, provider: Provider) -> None:
        """Fetch; what fails leaves the old keys in service until they are an hour old."""
        try:
            entry.keys = await _keys(provider, self._timeout)
            entry.fetched, entry.failure = self._clock(), None
            FETCHES.labels("ok").inc()
            log.info("issuer's keys fetched", issuer=provider.url, kids=sorted(entry.keys)[:10])
        except (Unreachable, Unusable) as problem:
            entry.failure = problem
            FETCHES.labels("unreachable" if isinstance(problem, Unreachable) else "unusable").inc()
            old = len(entry.keys) if self._age(entry) <= STALE_SECONDS else 0
            log.warning("issuer's keys not fetched", issuer=provider.url, reason=str(problem), old_keys=old)
        finally:
            entry.tried, entry.fetch = self._clock(), None


async def _keys(provider: Provider, seconds: float) -> jwks.KeySet:
    local = provider.local or Local()
    try:
        if local.jwks_file:
            return jwks.parse(await asyncio.to_thread(_read, local.jwks_file))
        async with asyncio.timeout(seconds):
            return jwks.parse(await _published(provider, local))
    except jwks.UnusableKeys as problem:
        raise Unusable(str(problem)) from problem
    except TimeoutError as problem:
        raise Unreachable(f"no answer within {seconds:g} s") from problem
    except (aiohttp.ClientError, OSError, ValueError) as problem:
        raise Unreachable(f"{type(problem).__name__}: {problem}") from problem


async def _published(provider: Provider, local: Local) -> bytes:
    """The JWKS document, by way of the discovery document."""
    context = await asyncio.to_thread(lambda: ssl.create_default_context(cafile=local.ca_bundle or None))
    headers = {"Accept": ACCEPT}
    if local.token_file:
        headers["Authorization"] = f"Bearer {(await asyncio.to_thread(_read, local.token_file)).decode().strip()}"
    # An issuer without a Local block is one that AWS could reach; what is behind our own walls is not asked for it.
    resolver = None if provider.local else _PublicResolver()
    connector = aiohttp.TCPConnector(ssl=context, force_close=True, resolver=resolver)
    async with aiohttp.ClientSession(connector=connector, trust_env=False, auto_decompress=False) as session:
        where = local.discovery_url or provider.url.rstrip("/") + "/.well-known/openid-configuration"
        jwks_uri = _jwks_uri(await _get(session, where, headers), provider.url, secure=where.startswith("https://"))
        if not provider.local and not public(urlsplit(jwks_uri).hostname or ""):
            raise Unusable(f"its keys are at the private address {jwks_uri}")
        if not local.ca_bundle and _origin(jwks_uri) != _origin(where):
            # Without a CA of the operator's own anybody could be behind another host; it does not get our bearer token.
            headers.pop("Authorization", None)
        return await _get(session, jwks_uri, headers)


class _PublicResolver(aiohttp.ThreadedResolver):
    """Names of public addresses only."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """The addresses, every one of them public."""
        found = await super().resolve(host, port, family)
        for each in found:
            if not public(each["host"]):
                raise Unusable(f"{host} is the private address {each['host']}; a provider there needs a Local block")
        return found


async def _get(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> bytes:
    async with session.get(url, headers=headers, allow_redirects=False) as response:
        if response.status != HTTPStatus.OK:
            kind = Unreachable if response.status in {429, 500, 502, 503, 504} else Unusable
            raise kind(f"{url} answered {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > SIZE_LIMIT:
                raise Unusable(f"{url} is larger than {SIZE_LIMIT} bytes")
        return bytes(body)


def _jwks_uri(document: bytes, issuer: str, *, secure: bool) -> str:
    """The key set's address, from a discovery document that AWS would take too."""
    try:
        discovery = json.loads(document)
        missing = [name for name in REQUIRED_MEMBERS if not discovery.get(name)]
    except (ValueError, AttributeError, RecursionError) as problem:
        raise Unusable("the discovery document is no JSON object") from problem
    if missing:
        raise Unusable(f"the discovery document lacks {', '.join(missing)}")
    if discovery["issuer"] != issuer:
        raise Unusable(f"the discovery document is of issuer {str(discovery['issuer'])[:255]!r}")
    uri = discovery["jwks_uri"]
    if not isinstance(uri, str) or not uri.startswith("https://" if secure else ("http://", "https://")):
        raise Unusable("the discovery document's jwks_uri has to begin with https://")
    return uri


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _read(path: str) -> bytes:
    with Path(path).open("rb") as stream:
        content = stream.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise ValueError(f"{path} is larger than {SIZE_LIMIT} bytes")
    return content
