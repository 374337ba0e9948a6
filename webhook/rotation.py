"""When certificates are renewed, and how an authority is replaced without a moment of distrust.

A CA is replaced in two phases. PREPARE: the next one is made and published beside the current one; nothing is signed by
it until everybody who verifies has had time to see it. PROMOTE: it becomes the current one and signs; the old one stays
published, since leaves that it signed are still shown. DROP: the last of them is over, the old one goes.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import msgspec
from cryptography import x509

SETTLE: Final = timedelta(hours=1)  # API servers read a webhook configuration from a cache
LEAF_LIFE: Final = timedelta(days=7)
AUTHORITY_LIFE: Final = timedelta(days=365)


class Step(Enum):
    """What is to be done with the authorities now."""

    KEEP = "keep"
    PREPARE = "prepare"
    PROMOTE = "promote"
    DROP = "drop"
    REPLACE = "replace"  # the current one is over, and none was prepared: nobody can be spared


class Authorities(msgspec.Struct, frozen=True):
    """What the CA's Secret holds; certificates and keys are PEM.

    Attributes:
        since: when the last step was done.
    """

    certificate: bytes
    key: bytes
    next_certificate: bytes = b""
    next_key: bytes = b""
    previous: bytes = b""
    since: datetime | None = None

    def published(self) -> tuple[bytes, ...]:
        """The certificates that verifiers are to trust."""
        return tuple(each for each in (self.certificate, self.next_certificate, self.previous) if each)


def due(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether two thirds of its life are over, or its beginning is still to come (somebody's clock was wrong)."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return not begin <= now <= begin + (end - begin) * 2 / 3


def holds(authorities: Authorities, now: datetime) -> bool:
    """Whether the current authority is valid at `now`: not over, and begun (a clock may have been set back)."""
    current = x509.load_pem_x509_certificate(authorities.certificate)
    return current.not_valid_before_utc <= now < current.not_valid_after_utc


def step(authorities: Authorities, now: datetime, *, seen: bool) -> Step:
    """What to do at `now`; `seen`: all that is to be published has been found where verifiers look."""
    current = x509.load_pem_x509_certificate(authorities.certificate)
    waited = now - authorities.since if authorities.since else timedelta.max
    if not holds(authorities, now):
        return Step.PROMOTE if authorities.next_certificate else Step.REPLACE
    if authorities.next_certificate:
        return Step.PROMOTE if seen and waited >= SETTLE else Step.KEEP
    if authorities.previous:
        return Step.DROP if waited >= LEAF_LIFE + SETTLE else Step.KEEP
    return Step.PREPARE if due(current, now) else Step.KEEP


def advance(authorities: Authorities, what: Step, now: datetime, fresh: tuple[bytes, bytes]) -> Authorities:
    """The authorities after a step; `fresh` (certificate and key) is taken where one is needed."""
    certificate, key = fresh
    match what:
        case Step.PREPARE:
            return msgspec.structs.replace(authorities, next_certificate=certificate, next_key=key, since=now)
        case Step.PROMOTE:
            return Authorities(
                authorities.next_certificate, authorities.next_key, previous=authorities.certificate, since=now
            )
        case Step.DROP:
            return Authorities(authorities.certificate, authorities.key, since=now)
        case Step.REPLACE:
            return Authorities(certificate, key, since=now)
        case Step.KEEP:
            return authorities
