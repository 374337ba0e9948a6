"""The two documents as HTTP sees them: bytes, validators, freshness.

The ETag is strong and made of the bytes, so it is equal on all replicas. How long a cache may keep them shortens while
a rotation is pending; `stale-if-error` lets a cache go on when it cannot reach us, since an old set is better than
none.
"""

import hashlib
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

import msgspec

from oidc import discovery, jwks
from oidc.jwks import KeySet

STALE_IF_ERROR: Final = 86400  # seconds (RFC 5861 section 4)


class Document(msgspec.Struct, frozen=True):
    """One representation.

    Attributes:
        etag: quoted, as it stands in the header.
        modified: when it became so, in whole seconds since the epoch.
    """

    body: bytes
    content_type: str
    etag: str
    modified: int

    def headers(self, max_age: int) -> dict[str, str]:
        """Validators and freshness; a 304 carries the same (RFC 9110 section 15.4.5)."""
        return {
            "ETag": self.etag,
            "Last-Modified": formatdate(self.modified, usegmt=True),
            "Cache-Control": f"public, max-age={max_age}, stale-if-error={STALE_IF_ERROR}",
        }


class Publication(msgspec.Struct, frozen=True):
    """What is published for one issuer."""

    issuer: str
    keys: KeySet
    discovery: Document
    jwks: Document


def publication(
    issuer: str, keys: KeySet, *, public_url: str | None, now: float, before: Publication | None
) -> Publication:
    """The documents for `keys`; a document whose bytes are those of `before` keeps its date."""
    return Publication(
        issuer,
        keys,
        _document(
            discovery.render(issuer, public_url, keys), "application/json", now, before.discovery if before else None
        ),
        _document(jwks.render(keys), "application/jwk-set+json", now, before.jwks if before else None),
    )


def _document(body: bytes, content_type: str, now: float, before: Document | None) -> Document:
    if before is not None and before.body == body:
        return before
    return Document(body, content_type, f'"{hashlib.sha256(body).hexdigest()}"', int(now))


def unchanged(document: Document, if_none_match: str | None, if_modified_since: str | None) -> bool:
    """Whether a conditional request is answered by 304 (RFC 9110 section 13.2.2: If-None-Match decides where given)."""
    if if_none_match == document.etag:
        return True
    if if_none_match is not None:
        candidates = {candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")}
        return bool({"*", document.etag} & candidates)
    if if_modified_since is None:
        return False
    try:
        return document.modified <= parsedate_to_datetime(if_modified_since).timestamp()
    except (TypeError, ValueError, OverflowError):
        return False  # an invalid date is ignored (RFC 9110 section 13.1.3)
