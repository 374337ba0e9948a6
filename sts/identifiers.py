"""IAM's unique ids: a prefix that says what it names, then base32 with the account inside.

The first six of the ten bytes behind the prefix hold a set top bit, the account number in 40 bits and seven free bits;
so `GetAccessKeyInfo` needs no look-up. Ids without the top bit are of the old style and carry no account.
"""

import base64
import hashlib
from typing import Final

ACCESS_KEY: Final = "AKIA"
SESSION_KEY: Final = "ASIA"
USER: Final = "AIDA"
ROLE: Final = "AROA"
GROUP: Final = "AGPA"
POLICY: Final = "ANPA"

_HEAD_BYTES: Final = 6
_NEW_STYLE: Final = 1 << 47
_ACCOUNT_MASK: Final = (1 << 47) - (1 << 7)


def mint(prefix: str, account: str, entropy: bytes) -> str:
    """An id for `account` (12 digits) out of 6 bytes or more of `entropy`: 20 characters for an access key, else 21."""
    head = (_NEW_STYLE | int(account) << 7 | entropy[0] & 0x7F).to_bytes(_HEAD_BYTES, "big")
    text = prefix + base64.b32encode(head + entropy[1:5]).decode()
    if prefix in {ACCESS_KEY, SESSION_KEY}:
        return text
    return text + base64.b32encode(entropy[5:6] * 5).decode()[0]


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
