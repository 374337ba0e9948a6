"""Another issuer's published documents: a relying party's own view, or a cluster that publishes itself already."""

from pathlib import Path

from oidc import discovery, jwks
from oidc.errors import DocumentError, RefusedError
from oidc.sources import Observation
from oidc.sources.apiserver import Endpoint, credentials
from oidc.sources.http import fetch, session


class Issuer:
    """A `Source`."""

    def __init__(self, url: str, ca: Path | None = None) -> None:
        self.place = url
        self._endpoint = Endpoint(url, ca=ca)

    async def observe(self) -> Observation:
        """Read its discovery document, and its keys where that says; both over https only."""
        headers, context = credentials(self._endpoint)
        async with session(context) as asking:
            where = self.place.rstrip("/") + discovery.DISCOVERY_PATH
            found = discovery.parse(await fetch(asking, where, headers), where)
            if found.issuer != self.place:
                raise RefusedError("issuer", f"{where}: its issuer is {found.issuer!r}")
            if discovery.split(found.jwks_uri).scheme != "https":
                raise DocumentError(f"{where}: its jwks_uri {found.jwks_uri[:200]!r} is not https")
            keys, left = jwks.parse(await fetch(asking, found.jwks_uri, headers), found.jwks_uri)
        return Observation(found.issuer, keys, left)
