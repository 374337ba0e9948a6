"""IAM's unique ids: a prefix that says what it names, then base32 with the account inside.

The first six of the ten bytes behind the prefix hold a set top bit, the account number in 40 bits and seven free bits;
so `GetAccessKeyInfo` needs no look-up. Ids without the top bit are of the old style and carry no account.
"""

import base64
import functools
import hashlib
from typing import Final

ACCESS_KEY: Final = "AKIA"
SESSION_KEY: Final = "ASIA"
USER: Final = "AIDA"
ROLE: Final = "AROA"
GROUP: Final = "AGPA"
POLICY: Final = "ANPA"

_HEAD_BYTES: Final = 6
_ACCOUNT_MASK: Final = (1 << 47) - (1 << 7)

_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS: Final = [one + other for one in _BASE32 for other in _BASE32]


def mint(prefix: str, account: str, entropy: bytes) -> str:
    """An id for `account` (12 digits) out of 6 bytes or more of `entropy`: 20 characters for an access key, else 21."""
    stem, odd = _stem(account)
    free = odd | int.from_bytes(entropy[:5], "big") & 0x7F_FFFF_FFFF
    pairs = _PAIRS
    text = prefix + stem + pairs[free >> 30] + pairs[free >> 20 & 1023] + pairs[free >> 10 & 1023] + pairs[free & 1023]
    return text if prefix in {ACCESS_KEY, SESSION_KEY} else text + _BASE32[entropy[5] >> 3]


@functools.lru_cache(maxsize=1024)
def _stem(account: str) -> tuple[str, int]:
    """The eight characters that the account alone decides, and its last bit, in its place before 39 free ones."""
    number = int(account)
    bits = 1 << 39 | number >> 1
    return "".join(_PAIRS[bits >> shift & 1023] for shift in (30, 20, 10, 0)), (number & 1) << 39


def derived(prefix: str, account: str, arn: str) -> str:
    """The stable id of a thing that came without one: the same ARN always gets the same id."""
    return mint(prefix, account, hashlib.sha256(arn.encode()).digest())


def account_of(identifier: str) -> str | None:
    """The 12-digit account inside an id, or None where it carries none (old style, or no id at all)."""
    try:
        head = base64.b32decode(identifier[4:20])
    except ValueError:
        return None
    if len(head) < _HEAD_BYTES or not head[0] & 0x80:
        return None
    return f"{(int.from_bytes(head[:_HEAD_BYTES], 'big') & _ACCOUNT_MASK) >> 7:012d}"
