"""Attack: a session token of another key, changed, sealed by another server, or left out."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sts.credentials import SealBroken, SealingKeys, Session
from tests.sts.world import USER_KEY, World, decided, signed_request

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


def test_a_token_belongs_to_its_access_key_id() -> None:
    """Another session's token does not open under this one's key id."""
    assert SESSION == KEYS.open(SEALED, SESSION.access_key_id)
    with pytest.raises(SealBroken):
        KEYS.open(SEALED, "ASIAI44QH8DHBEXAMPLE")


def test_keys_rotate() -> None:
    """The first key seals, all open; without the old one its sessions are over."""
    both = SealingKeys((b"n" * 32, b"k" * 32))
    assert SESSION == both.open(SEALED, SESSION.access_key_id)
    with pytest.raises(SealBroken):
        SealingKeys((b"n" * 32,)).open(SEALED, SESSION.access_key_id)
    assert SESSION == SealingKeys((b"n" * 32,)).open(both.seal(SESSION, bytes), SESSION.access_key_id)


def test_sessions_cannot_be_mixed(aws: World) -> None:
    """Key of one and token of another; a long-lived key with a token; a session's key without its token."""
    one, other = aws.session(), aws.session(role="team/a/idle")
    assert decided(aws, signed_request(one)).endswith(":assumed-role/s3-reader/session")
    assert UNKNOWN == decided(aws, signed_request((*one[:2], other[2])))
    assert UNKNOWN == decided(aws, signed_request((*USER_KEY, one[2])))
    assert UNKNOWN == decided(aws, signed_request(one[:2]))


def test_another_servers_session(aws: World) -> None:
    """Sealed by a key that is not ours, for a role that is."""
    role = aws.state.now().accounts.roles["arn:aws:iam::111122223333:role/s3-reader"]
    forged = Session("ASIAIOSFODNN7EXAMPLE", "secret", role.account, role.arn, role.unique_id, "s", 0, 2**40)
    token = SealingKeys((b"x" * 32,)).seal(forged, lambda count: b"n" * count)
    assert UNKNOWN == decided(aws, signed_request((forged.access_key_id, forged.secret, token)))


def test_a_session_ends(aws: World) -> None:
    """To the second, and even with a fresh signature."""
    key = aws.session(DurationSeconds=900)
    request = signed_request(key)
    assert "ExpiredToken" == decided(aws, request, after=901)
    assert decided(aws, request, after=800).endswith("/session")
