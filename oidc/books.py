"""What to publish out of what a process has seen itself and what the ledger has written down.

The ledger has the longer memory and the operator's times: a key that vanished goes when the ledger says that its time
is over, though this process would keep it longer; and it stays for as long as the ledger says.
What a source has now is published whatever the ledger says, unless it was withdrawn.
"""

from collections.abc import Iterable

import msgspec

from oidc.jwks import KeySet, union
from oidc.lifecycle import Entry, Ledger, is_lasting, is_published, published


class Books(msgspec.Struct, frozen=True):
    """One cluster's: `seen` by this process, `written` by the keeper."""

    seen: Ledger | None = None
    written: Ledger | None = None

    @property
    def both(self) -> list[Ledger]:
        """Those that there are."""
        return [ledger for ledger in (self.seen, self.written) if ledger is not None]


def to_publish(books: Iterable[Books], now: float) -> KeySet:
    """What all books of an issuer publish, without what any of them has withdrawn."""
    books = list(books)
    withdrawn = {
        kid for each in books for ledger in each.both for kid, entry in ledger.entries.items() if entry.withdrawn
    }
    return union(key for each in books for key in _keys(each, now) if key.kid not in withdrawn)


def _keys(books: Books, now: float) -> KeySet:
    written = published(books.written, now) if books.written else ()
    if books.seen is None:
        return written
    known = books.written.entries if books.written else {}
    seen = (entry.key for kid, entry in books.seen.entries.items() if _counts(entry, known.get(kid), now))
    return union((*written, *seen))


def _counts(seen: Entry, written: Entry | None, now: float) -> bool:
    """Whether a key that we have seen is published, whatever else the ledger publishes."""
    if is_lasting(seen) or written is None or is_published(written, now):
        return is_published(seen, now)
    # It is over by the ledger. If that was before we missed the key, the ledger means an earlier life of it.
    return is_published(seen, now) and (written.until or written.since) < seen.since
