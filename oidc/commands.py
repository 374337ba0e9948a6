"""What an operator may do to the ledger: stage, retire, drop; each refuses what would break somebody's tokens.

A refusal (`UnsafeError`) says what to do instead, and where only time is missing, how many seconds.
"""

from math import ceil

import msgspec

from oidc import gates
from oidc.errors import OIDCError
from oidc.jwk import JWK
from oidc.jwks import union
from oidc.lifecycle import Entry, Ledger, State, Timing, is_lasting, is_published, published, stamped


class UnsafeError(OIDCError):
    """A step that is not safe now.

    Attributes:
        wait: seconds until it is; None where waiting does not help.
    """

    kind = "unsafe"

    def __init__(self, reason: str, wait: int | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def stage(ledger: Ledger, key: JWK, now: float) -> Ledger:
    """Publish `key` ahead of its first signature.

    Raises:
        UnsafeError: it was withdrawn, or is published already.
        RefusedError: the set would be too large.
    """
    entry = ledger.entries.get(key.kid)
    if entry is not None and entry.withdrawn:
        raise UnsafeError(f"key {key.kid} was withdrawn ({entry.withdrawn}); make a new one")
    if entry is not None and is_published(entry, now):
        raise UnsafeError(f"key {key.kid} is published already, as {entry.state}")
    gates.check_limit(union((*published(ledger, now), key)))
    staged = Entry(key, State.NEXT, since=ceil(now), first_seen=ceil(now))
    return stamped(ledger, {**ledger.entries, key.kid: staged}, now)


def signs_from(entry: Entry, timing: Timing) -> int:
    """When a staged key may begin to sign: every cache has fetched it by then."""
    return entry.first_seen + timing.ahead


def retire(ledger: Ledger, kid: str, now: float, timing: Timing) -> Ledger:
    """Take back a key that signs no more, or that was staged for nothing.

    Raises:
        UnsafeError: a token of it may live, or it may sign.
    """
    entry = _published_entry(ledger, kid, now)
    match entry.state:
        case State.NEXT if not entry.last_seen:
            return _withdrawn(ledger, entry, "retired before it signed", now)
        case State.RETIRING:
            over = entry.since + timing.retention if entry.until is None else entry.until
            if now >= over:
                return _withdrawn(ledger, entry, "retired", now)
            raise UnsafeError(f"tokens that key {kid} signed may still live", wait=ceil(over - now))
        case _:
            raise UnsafeError(
                f"key {kid} is {entry.state}: an API server has it and may sign with it; take it out of its "
                "--service-account-signing-key-file and --service-account-key-file first"
            )


def drop(ledger: Ledger, kid: str, now: float, *, force: bool = False) -> Ledger:
    """Take a leaked key back at once; every token that it signed is refused as soon as caches let go.

    Raises:
        UnsafeError: it is the only key, or without `force` one that may be signing now.
    """
    entry = _published_entry(ledger, kid, now)
    if entry.state is State.CURRENT and not force:
        raise UnsafeError(
            f"key {kid} is current: until the API server signs with another, new tokens would be refused; "
            "stage another and switch to it first, or say --force"
        )
    return _withdrawn(ledger, entry, "dropped", now)


def _published_entry(ledger: Ledger, kid: str, now: float) -> Entry:
    entry = ledger.entries.get(kid)
    if entry is None:
        raise UnsafeError(f"there is no key {kid}; `irsa keys list` shows all")
    if not is_published(entry, now):
        raise UnsafeError(f"key {kid} is gone already")
    return entry


def _withdrawn(ledger: Ledger, entry: Entry, why: str, now: float) -> Ledger:
    kid = entry.key.kid
    if not any(other is not entry and is_lasting(other) for other in ledger.entries.values()):
        raise UnsafeError(f"key {kid} is the only one that lasts; stage another first, or nobody could verify anything")
    gone = msgspec.structs.replace(entry, state=State.GONE, since=ceil(now), withdrawn=why)
    return stamped(ledger, {**ledger.entries, kid: gone}, now)
