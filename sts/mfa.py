"""Virtual MFA devices: time-based codes (RFC 6238, SHA-1, six digits, half minutes), each good once.

A code counts from the half minute before to the one after, for clocks that differ. `Spent` remembers the last half
minute whose code was taken, a device, so that who looked over a shoulder comes too late; and how many wrong ones came
in this half minute, so that nobody tries all million (RFC 4226 section 7.3).
"""

import base64
import hashlib
import hmac
from typing import Final

import msgspec

STEP_SECONDS: Final = 30
DIGITS: Final = 6
TRIES: Final = 5  # wrong codes for a device in half a minute; after them none is right


class Device(msgspec.Struct, frozen=True):
    """A virtual device; `user` is the ARN of the user that it belongs to."""

    serial_number: str
    user: str
    seed: bytes


class Spent:
    """The codes that were used, for each device the newest."""

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}
        self._wrong: dict[str, tuple[int, int]] = {}

    def spend(self, device: Device, code: str, now: float) -> bool:
        """Whether `code` is the device's now and was not used before; it is used then."""
        current = int(now) // STEP_SECONDS
        tried, wrong = self._wrong.get(device.serial_number, (current, 0))
        if tried == current and wrong >= TRIES:
            return False
        for step in (current, current - 1, current + 1):
            if hmac.compare_digest(code_at(device.seed, step), code.encode()):
                if step <= self._steps.get(device.serial_number, -1):
                    return False
                self._steps[device.serial_number] = step
                return True
        self._wrong[device.serial_number] = (current, wrong + 1 if tried == current else 1)
        return False


def code_at(seed: bytes, step: int) -> bytes:
    """The code of a half minute, as RFC 4226 section 5.3 truncates it."""
    digest = hmac.digest(seed, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}".encode()


def seed(text: str) -> bytes:
    """The bytes of a Base32StringSeed, which may lack its padding.

    Raises:
        ValueError: it is no base32, or shorter than 16 bytes.
    """
    found = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    if len(found) < 16:  # noqa: PLR2004 -- RFC 4226 section 4, R6
        raise ValueError("shorter than 16 bytes")
    return found
