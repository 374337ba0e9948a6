"""The ledgers as the bytes that ConfigMap `irsa-keys` holds: one JSON file, all issuers, public keys only.

What is read here was written by `irsa keys`, but whoever can write the ConfigMap can write anything: every key
and every issuer goes through the same checks as a source's, and one private member condemns the file.
"""

from typing import Any, Final

import msgspec

from oidc import discovery
from oidc.errors import DocumentError
from oidc.jwk import Unsuitable, from_members
from oidc.lifecycle import Ledger, Timing

FILE: Final = "ledger.json"
SIZE_LIMIT: Final = 1 << 20  # bytes, a ConfigMap's own limit

Ledgers = dict[str, Ledger]


class Record(msgspec.Struct, frozen=True):
    """What the ConfigMap holds.

    Attributes:
        issuers: the ledgers.
        clusters: whose issuer each is, so that a server finds its own while no source answers; "" is the only one.
        timing: the times by which they are kept, so that commands count with the same.
    """

    issuers: Ledgers = {}
    clusters: dict[str, str] = {}
    timing: Timing = Timing()
    version: int = 1


def encode(record: Record) -> bytes:
    """Canonical, indented bytes: people read a ConfigMap, and equal ledgers are equal bytes."""
    return msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=1)


def decode(data: bytes, place: str) -> Record:
    """What `encode` wrote; `place` is named in errors.

    Raises:
        DocumentError: it is no ledger of ours.
        RefusedError: it holds a private key.
    """
    if len(data) > SIZE_LIMIT:
        raise DocumentError(f"{place}: more than {SIZE_LIMIT} bytes")
    try:
        raw = msgspec.json.decode(data)
        _check_keys(raw)
        record = msgspec.convert(raw, Record)
        _check_contents(record, place)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as problem:
        raise DocumentError(f"{place}: no key ledger: {problem}") from None
    except (KeyError, TypeError, AttributeError, Unsuitable) as problem:
        raise DocumentError(f"{place}: no key ledger: a key in it is none: {problem}") from None
    if record.version != 1:
        raise DocumentError(f"{place}: version {record.version}; this program reads version 1")
    return record


def _check_keys(raw: Any) -> None:  # noqa: ANN401 -- not yet checked; any mistake of its shape is caught above
    for issuer, ledger in raw["issuers"].items():
        if ledger["issuer"] != issuer:
            raise TypeError(f"issuer {issuer!r}")
        for kid, entry in ledger["entries"].items():
            if from_members(entry["key"]).kid != kid:
                raise TypeError(f"kid {kid!r}")


def _check_contents(record: Record, place: str) -> None:
    for ledger in record.issuers.values():
        discovery.check_issuer(ledger.issuer, place)
        for kid, entry in ledger.entries.items():
            if from_members(msgspec.to_builtins(entry.key)) != entry.key:
                raise TypeError(f"key {kid!r} is not in its canonical form")
