"""A Kubernetes API server's own discovery document and JWKS.

The only right that this takes is ClusterRole `system:service-account-issuer-discovery`. Token, CA and client
certificate are read again at every poll, since kubelet renews the one and an operator may replace the others. Each poll
opens a connection of its own: behind one address there may be several API servers, and while they are restarted one by
one each knows other keys.
"""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from oidc import discovery, jwks
from oidc.errors import ConfigError, SourceError
from oidc.signer import kid_of
from oidc.sources import Observation
from oidc.sources.http import fetch, session

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
TOKEN_LIMIT: Final = 64 * 1024  # bytes of a bearer token


class Endpoint(msgspec.Struct, frozen=True):
    """How to reach an API server.

    Attributes:
        server: its URL.
        ca: PEM file, or PEM text, to verify it with; None: what the system trusts.
        token: file of a bearer token, or the token itself.
        identity: files of a client certificate and its key.
        server_name: what its certificate must name, where that is not the URL's host.
        insecure: take any certificate; only where a kubeconfig says so.
    """

    server: str
    ca: Path | str | None = None
    token: Path | str | None = None
    identity: tuple[Path, Path] | None = None
    server_name: str | None = None
    insecure: bool = False


def in_cluster(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Endpoint:
    """The API server of the cluster that we run in.

    Raises:
        ConfigError: we do not run in one.
    """
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError(
            "no source of keys: KUBERNETES_SERVICE_HOST is not set, so this is no pod; give --kube-api or --kubeconfig"
        )
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Endpoint(server, ca=folder / "ca.crt", token=folder / "token")


class APIServer:
    """A `Source`.

    Raises:
        ConfigError: its URL is none over which keys may come.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.place = endpoint.server.rstrip("/")
        self._endpoint = endpoint
        where = discovery.split(self.place)
        if where.scheme != "https" and not (where.scheme == "http" and where.hostname in LOOPBACK):
            raise ConfigError(
                f"API server {self.place!r}: write it as https://HOST[:PORT]; whoever changes its answer on the way "
                "is believed by every relying party, so plain HTTP is for loopback only (kubectl proxy)"
            )

    async def observe(self) -> Observation:
        """Read both documents; what the API server says of `jwks_uri` does not matter, its path is fixed."""
        headers, context = await asyncio.to_thread(credentials, self._endpoint)
        async with session(context) as asking:
            where = self.place + discovery.DISCOVERY_PATH
            found = discovery.parse(await fetch(asking, where, headers, self._endpoint.server_name), where)
            where = self.place + discovery.JWKS_PATH
            keys, left = jwks.parse(await fetch(asking, where, headers, self._endpoint.server_name), where)
        signer = kid_of(headers.get("Authorization", "").removeprefix("Bearer "), found.issuer)
        problems = _of_signer(signer, {*(key.kid for key in keys), *(key.kid for key in left)}, self.place)
        return Observation(found.issuer, keys, left, signer, problems)


def _of_signer(kid: str | None, published: set[str], place: str) -> tuple[str, ...]:
    # An API server publishes its verifying keys; that the signing one is among them is for its operator to see to.
    if kid is None or kid in published:
        return ()
    cure = "nobody can verify it; add the public key to --service-account-key-file"
    return (f"{place}: our token was signed with the key {kid[:64]}, which is not published there: {cure}",)


def credentials(endpoint: Endpoint) -> tuple[dict[str, str], ssl.SSLContext]:
    """Request headers and TLS settings out of the files as they are now.

    Raises:
        SourceError: a file cannot be read; it may be there at the next poll.
    """
    try:
        return _headers(endpoint), _context(endpoint)
    except (OSError, ValueError) as problem:
        raise SourceError(f"{endpoint.server}: credentials: {problem}") from None


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {"Accept": "application/json, application/jwk-set+json"}
    if endpoint.token is not None:
        token = endpoint.token if isinstance(endpoint.token, str) else endpoint.token.read_text("ascii").strip()
        if not token or len(token) > TOKEN_LIMIT or not token.isprintable():
            raise ValueError("the token file holds no token")
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    ca = endpoint.ca.read_text("ascii") if isinstance(endpoint.ca, Path) else endpoint.ca
    context = ssl.create_default_context(cadata=ca)
    if endpoint.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if endpoint.identity is not None:
        context.load_cert_chain(*endpoint.identity)
    return context
