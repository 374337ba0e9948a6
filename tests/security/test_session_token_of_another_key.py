"""Attack: the session token of another access key."""

import base64

import pytest

from sts.credentials import SealBroken, SealingKeys, Session
from tests.sts.world import USER_KEY, World, decided, signed_request

UNKNOWN = "InvalidClientTokenId"


KEYS = SealingKeys((b"k" * 32,))


SESSION = Session(
    "ASIAIOSFODNN7EXAMPLE", "secret", "111122223333", "arn:aws:iam::111122223333:role/a", "AROA", "s", 1, 2
)


SEALED = KEYS.seal(SESSION, lambda count: b"n" * count)


RAW = base64.b64decode(SEALED)


def test_a_token_belongs_to_its_access_key_id() -> None:
    """Another session's token does not open under this one's key id."""
    assert SESSION == KEYS.open(SEALED, SESSION.access_key_id)
    with pytest.raises(SealBroken):
        KEYS.open(SEALED, "ASIAI44QH8DHBEXAMPLE")


def test_sessions_cannot_be_mixed(aws: World) -> None:
    """Key of one and token of another; a long-lived key with a token; a session's key without its token."""
    one, other = aws.session(), aws.session(role="team/a/idle")
    assert decided(aws, signed_request(one)).endswith(":assumed-role/s3-reader/session")
    assert UNKNOWN == decided(aws, signed_request((*one[:2], other[2])))
    assert UNKNOWN == decided(aws, signed_request((*USER_KEY, one[2])))
    assert UNKNOWN == decided(aws, signed_request(one[:2]))
