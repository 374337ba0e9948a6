"""The life of a signing key, as relying parties must see it: next → current → retiring → gone.

    next      published, and has not signed: staged by hand, or new at the source while another key signs
    current   may be signing now
    retiring  signs no more, but tokens that it signed may live; `until` is set once no source has it
    gone      not published any more

Rule 1: what a source has is published, whatever its state; only a key withdrawn by command is not.
Rule 2: a key that vanishes is published for `retain` seconds more, counted from the poll that first missed it: the last
token that it can have signed is over by then, in every clock, and out of every cache.
Rule 3: which key signs is known from tokens only. Where none was seen, every key of the source may be signing.

Times are seconds since the epoch. `now` is exact; what is written down is whole seconds, rounded up, so that with both
no key goes a moment too early. Nothing here knows the clock.
"""

import enum
from math import ceil
from typing import Annotated, Final

import msgspec

from oidc.jwk import JWK
from oidc.jwks import KeySet, union

DAY: Final = 86400
LAST_SEEN_GRAIN: Final = 300  # seconds; a finer `last_seen` would write the ledger at every poll
PROPAGATION: Final = 120  # seconds; kubelet refreshes a mounted ConfigMap within some 90, then a server looks
REMEMBER: Final = 30 * DAY  # how long a key that is gone stays listed

Time = Annotated[int, msgspec.Meta(ge=0, le=253402300799)]
"""Whole seconds since the epoch, up to the last that has a date (year 9999); checked where a ledger is read."""


class State(enum.StrEnum):
    """Where a key is in its life."""

    NEXT = "next"
    CURRENT = "current"
    RETIRING = "retiring"
    GONE = "gone"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key and its life so far.

    Attributes:
        since: when it entered its state.
        first_seen: when it was first published.
        last_seen: when a source last had it, to `LAST_SEEN_GRAIN`; 0 if none ever had.
        until: when its publication ends, once no source has it.
        withdrawn: why it was taken back by command; such a key is never published again.
    """

    key: JWK
    state: State
    since: Time
    first_seen: Time
    last_seen: Time = 0
    until: Time | None = None
    withdrawn: str = ""


class Ledger(msgspec.Struct, frozen=True):
    """All keys of one issuer, by kid; `changed` is when the published set last did, rounded down."""

    issuer: str
    entries: dict[str, Entry] = {}
    changed: Time = 0


class Timing(msgspec.Struct, frozen=True):
    """How long things last, in seconds.

    Attributes:
        token_lifetime: the longest life of a token for a relying party, `--service-account-max-token-expiration`.
        skew: how far clocks may differ.
        max_age: how long a cache may keep the JWKS.
        retain: overrides their sum.
        lead: how long a key is published before it may sign; None: `max_age` and the ledger's way to the servers.
    """

    token_lifetime: int = DAY
    skew: int = 600
    max_age: int = 3600
    retain: int | None = None
    lead: int | None = None

    @property
    def ahead(self) -> int:
        """How long before its first signature a key has to be published."""
        return self.max_age + PROPAGATION if self.lead is None else self.lead

    @property
    def retention(self) -> int:
        """How long a key is published after its last possible signature."""
        return self.token_lifetime + self.skew + self.max_age if self.retain is None else self.retain


def published(ledger: Ledger, now: float) -> KeySet:
    """The keys to publish: all that are not gone, nor overdue though nobody has looked since."""
    return union(entry.key for entry in ledger.entries.values() if is_published(entry, now))


def is_published(entry: Entry, now: float) -> bool:
    """Whether a key is to be published now."""
    return entry.state is not State.GONE and (entry.until is None or now < entry.until)


def modified(ledger: Ledger, now: float) -> int:
    """When what is published now became so: a key's time also ends where nobody has written that down.

    Never ahead of `now`, whatever clock wrote the ledger: RFC 9110 section 8.8.2.1 forbids such a Last-Modified.
    """
    untils = [entry.until or 0 for entry in ledger.entries.values() if entry.state is not State.GONE]
    return min(max(ledger.changed, *(until for until in untils if until <= now), 0), int(now))


def is_lasting(entry: Entry) -> bool:
    """Whether a key is published without an end in sight."""
    return entry.state is not State.GONE and entry.until is None


def pending(ledger: Ledger, now: float, max_age: float) -> bool:
    """Whether a rotation is under way, so that caches ought to look again soon.

    It is while a key is next, and for `max_age` after a key was added to others: until then a cache may not have it.
    """
    entries = [entry for entry in ledger.entries.values() if is_published(entry, now)]
    if any(entry.state is State.NEXT for entry in entries):
        return True
    oldest = min((entry.first_seen for entry in entries), default=now)
    return any(entry.first_seen > oldest and now - entry.first_seen < max_age for entry in entries)


def observe(ledger: Ledger, seen: KeySet, now: float, timing: Timing, signer: str | None = None) -> Ledger:
    """The ledger after a look at the source: `seen` are its keys, `signer` the kid of a token that it made lately."""
    keys = {key.kid: key for key in seen}
    signs = signer if signer in keys else None
    founding = not ledger.entries
    entries = {}
    for kid in sorted(ledger.entries.keys() | keys.keys()):
        before = ledger.entries.get(kid)
        if kid in keys:
            entries[kid] = _present(before, keys[kid], now, signs, founding=founding)
        elif before is not None and not _forgotten(before, now):
            entries[kid] = _absent(before, now, timing)
    return stamped(ledger, entries, now)


def _present(entry: Entry | None, key: JWK, now: float, signs: str | None, *, founding: bool) -> Entry:
    if entry is not None and entry.withdrawn:
        return _seen(entry, now)
    if entry is None or not is_published(entry, now):
        # A key that was there from the beginning and does not sign is an old one; a later one is the next.
        state = State.CURRENT if signs in (None, key.kid) else State.RETIRING if founding else State.NEXT
        return Entry(key, state, since=ceil(now), first_seen=ceil(now), last_seen=ceil(now))
    return _seen(_in_state(entry, _state(entry, signs), now, until=None), now)


def _state(entry: Entry, signs: str | None) -> State:
    if signs == entry.key.kid:
        return State.CURRENT
    if signs is None:
        vanished_or_new = entry.until is not None or entry.state is State.NEXT
        return State.CURRENT if vanished_or_new else entry.state
    return State.RETIRING if entry.state is State.CURRENT else entry.state


def _absent(entry: Entry, now: float, timing: Timing) -> Entry:
    staged = entry.state is State.NEXT and not entry.last_seen
    if entry.state is State.GONE or staged:
        return entry
    if entry.until is None:
        return _in_state(entry, State.RETIRING, now, until=ceil(now) + timing.retention)
    return _in_state(entry, State.GONE, now, until=entry.until) if now >= entry.until else entry


def _in_state(entry: Entry, state: State, now: float, *, until: int | None) -> Entry:
    since = entry.since if state is entry.state else ceil(now)
    return msgspec.structs.replace(entry, state=state, since=since, until=until)


def _seen(entry: Entry, now: float) -> Entry:
    fresh = now - entry.last_seen < LAST_SEEN_GRAIN
    return entry if fresh else msgspec.structs.replace(entry, last_seen=ceil(now))


def _forgotten(entry: Entry, now: float) -> bool:
    return entry.state is State.GONE and not entry.withdrawn and now - entry.since > REMEMBER


def stamped(ledger: Ledger, entries: dict[str, Entry], now: float) -> Ledger:
    """The ledger with `entries`; `changed` moves only if the published set does.

    It becomes a Last-Modified, which must not lie ahead of the clock (RFC 9110 section 8.8.2.1).
    """
    after = Ledger(ledger.issuer, entries, ledger.changed)
    return after if _living(after) == _living(ledger) else msgspec.structs.replace(after, changed=int(now))


def _living(ledger: Ledger) -> set[str]:
    return {kid for kid, entry in ledger.entries.items() if entry.state is not State.GONE}
