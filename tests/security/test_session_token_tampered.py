"""Attack: a session token that was changed in one byte, or written in another spelling."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sts.credentials import SealBroken, SealingKeys, Session

UNKNOWN = "InvalidClientTokenId"


KEYS = SealingKeys((b"k" * 32,))


SESSION = Session(
    "ASIAIOSFODNN7EXAMPLE", "secret", "111122223333", "arn:aws:iam::111122223333:role/a", "AROA", "s", 1, 2
)


SEALED = KEYS.seal(SESSION, lambda count: b"n" * count)


RAW = base64.b64decode(SEALED)


@given(some.integers(0, len(RAW) - 1), some.integers(1, 255))
def test_one_changed_byte_breaks_the_seal(place: int, change: int) -> None:
    """Anywhere: in the version, the key's name, the nonce, what is sealed or its tag."""
    changed = bytearray(RAW)
    changed[place] ^= change
    with pytest.raises(SealBroken):
        KEYS.open(base64.b64encode(changed).decode(), SESSION.access_key_id)


@given(some.integers(0, len(SEALED) - 1), some.characters())
def test_one_token_has_one_spelling(place: int, character: str) -> None:
    """No other text opens."""
    changed = SEALED[:place] + character + SEALED[place + 1 :]
    if changed != SEALED:
        with pytest.raises(SealBroken):
            KEYS.open(changed, SESSION.access_key_id)


@pytest.mark.parametrize(
    "token", ["", "A", "AAAA", "é", SEALED + "A", SEALED + "\n", SEALED[:-4], "x" * 100_000], ids=len
)
def test_what_is_no_token(token: str) -> None:
    """A clear state, not a crash."""
    with pytest.raises(SealBroken):
        KEYS.open(token, SESSION.access_key_id)
