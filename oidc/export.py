"""The documents as files of a static site, and what a live one lacks.

The bytes are those that the server answers, and the order is part of the contract: keys first, discovery second, so
that no reader ever finds a document that names what is not there.
"""

import msgspec

from oidc import discovery, gates, jwks
from oidc.discovery import DISCOVERY_PATH, JWKS_PATH
from oidc.documents import Publication
from oidc.errors import OIDCError, RefusedError
from oidc.jwks import KeySet
from oidc.lifecycle import Ledger


class Artifact(msgspec.Struct, frozen=True):
    """A file to publish; `path` has no slash before it."""

    path: str
    body: bytes
    content_type: str
    cache_control: str


def artifacts(published: Publication, max_age: int) -> tuple[Artifact, Artifact]:
    """The two files, in the order in which they are to be written."""
    return (
        Artifact(
            JWKS_PATH[1:],
            published.jwks.body,
            published.jwks.content_type,
            published.jwks.headers(max_age)["Cache-Control"],
        ),
        Artifact(
            DISCOVERY_PATH[1:],
            published.discovery.body,
            published.discovery.content_type,
            published.discovery.headers(max_age)["Cache-Control"],
        ),
    )


def check_successor(published: Publication, live: KeySet, ledgers: list[Ledger], *, allow_removal: bool) -> None:
    """Refuse to write over the keys that are `live` what would break the tokens of one of them.

    An export has no memory of its own: a key that vanished from the source is known to be over only by a ledger.

    Raises:
        RefusedError: the gate of disjoint sets, or a key would go that no ledger calls gone.
    """
    gates.check_keys(published.keys, live)
    known = {kid for ledger in ledgers for kid in ledger.entries}
    lost = sorted({key.kid for key in live} - {key.kid for key in published.keys} - known)
    if lost and not allow_removal:
        raise RefusedError(
            "removal",
            f"{lost} would go, and no ledger says that their last token is over; give --ledger, or --allow-removal",
        )


def differences(expected: Publication, discovery_body: bytes, jwks_body: bytes) -> list[str]:
    """What a live site has otherwise than `expected`, in words; empty: byte for byte the same."""
    found = [*_of_discovery(expected, discovery_body), *_of_keys(expected, jwks_body)]
    if not found and expected.discovery.body != discovery_body:
        found.append("discovery: the bytes differ, though what they say is usable")
    if not found and expected.jwks.body != jwks_body:
        found.append("keys: the bytes differ, though the keys are the same")
    return found


def _of_discovery(expected: Publication, body: bytes) -> list[str]:
    try:
        live = discovery.parse(body, "discovery")
    except OIDCError as problem:
        return [str(problem)]
    found = [] if live.issuer == expected.issuer else [f"discovery: issuer is {live.issuer!r}, not {expected.issuer!r}"]
    wanted = discovery.parse(expected.discovery.body, "ours").jwks_uri
    return found if live.jwks_uri == wanted else [*found, f"discovery: jwks_uri is {live.jwks_uri!r}, not {wanted!r}"]


def _of_keys(expected: Publication, body: bytes) -> list[str]:
    try:
        live = {key.kid for key in jwks.parse(body, "keys")[0]}
    except OIDCError as problem:
        return [str(problem)]
    wanted = {key.kid for key in expected.keys}
    missing = [f"keys: {kid} is missing; its tokens cannot be verified" for kid in sorted(wanted - live)]
    return missing + [f"keys: {kid} is there and should not be" for kid in sorted(live - wanted)]
