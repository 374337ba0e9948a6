"""The discovery document (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2).

Its `issuer` is the source's, to the letter, since relying parties compare it with the token's `iss`; it is never built
from a request. Its `jwks_uri` is always ours: a cluster's own often names an address that only the cluster can reach.
"""

from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from oidc.errors import DocumentError
from oidc.jwks import BODY_LIMIT, KeySet

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
JWKS_PATH: Final = "/openid/v1/jwks"
ISSUER_LIMIT: Final = 1024  # characters


class Discovered(msgspec.Struct, frozen=True):
    """What we take over from a source's document."""

    issuer: str
    jwks_uri: str


class Metadata(msgspec.Struct, frozen=True):
    """What we publish.

    Beyond the five fields of an API server: `authorization_endpoint` is REQUIRED by both specifications, and since
    there is none, it holds the URN that EKS uses; `claims_supported` is RECOMMENDED, and AWS's guide for own issuers
    has it.
    """

    issuer: str
    jwks_uri: str
    id_token_signing_alg_values_supported: list[str]
    authorization_endpoint: str = "urn:kubernetes:programmatic_authorization"
    claims_supported: list[str] = msgspec.field(default_factory=lambda: ["sub", "iss"])
    response_types_supported: list[str] = msgspec.field(default_factory=lambda: ["id_token"])
    subject_types_supported: list[str] = msgspec.field(default_factory=lambda: ["public"])


def parse(body: bytes, place: str) -> Discovered:
    """Read a source's discovery document.

    Raises:
        DocumentError: it is too large, no discovery document, or its issuer is none.
    """
    if len(body) > BODY_LIMIT:
        raise DocumentError(f"{place}: more than {BODY_LIMIT} bytes")
    try:
        found = msgspec.json.decode(body, type=Discovered)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DocumentError(f"{place}: no discovery document: {problem}") from None
    check_issuer(found.issuer, place)
    return found


def check_issuer(issuer: str, place: str) -> None:
    """OpenID Connect Discovery section 3: https, a host, and neither query nor fragment.

    Raises:
        DocumentError: it is none; relying parties would refuse it.
    """
    parts = split(issuer) if issuer.isprintable() and len(issuer) <= ISSUER_LIMIT else split("")
    if parts.scheme != "https" or not parts.hostname or "?" in issuer or "#" in issuer or parts.username is not None:
        raise DocumentError(f"{place}: issuer {issuer[:200]!r}: it must be https://HOST[/PATH], no query, no fragment")


def split(url: str) -> SplitResult:
    """The parts of a URL that somebody else wrote; none where it is none."""
    try:
        return urlsplit(url)
    except ValueError:  # such as brackets that hold no IPv6 address
        return urlsplit("")


def jwks_uri(issuer: str, public_url: str | None) -> str:
    """Where the JWKS is: below `public_url`, or below the issuer."""
    return (public_url or issuer).rstrip("/") + JWKS_PATH


def render(issuer: str, public_url: str | None, keys: KeySet) -> bytes:
    """The canonical bytes of the discovery document for `keys`."""
    algorithms = sorted({key.alg for key in keys})
    return msgspec.json.encode(
        Metadata(
            issuer=issuer, jwks_uri=jwks_uri(issuer, public_url), id_token_signing_alg_values_supported=algorithms
        ),
        order="sorted",
    )
