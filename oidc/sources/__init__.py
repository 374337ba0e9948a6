"""Where keys come from: one small protocol, one adapter a module."""

from typing import Protocol

import msgspec

from oidc.jwks import KeySet, Left


class Observation(msgspec.Struct, frozen=True):
    """What a source says now.

    Attributes:
        keys: those that may be published.
        left: those that were left out.
        signer: the kid that signed a token of the source lately, where that is known.
        problems: what did not work, though an answer could be had.
    """

    issuer: str
    keys: KeySet
    left: tuple[Left, ...] = ()
    signer: str | None = None
    problems: tuple[str, ...] = ()


class Source(Protocol):
    """Anything that can be asked for an issuer's keys."""

    place: str
    """Where it is, in words for a log line: an address or a path, never a credential."""

    async def observe(self) -> Observation:
        """Ask once.

        Raises:
            OIDCError: no answer, or none that can be published.
        """
