"""Attack: a session token that another server has sealed, or a key that is no longer ours."""

import base64

import pytest

from sts.credentials import SealBroken, SealingKeys, Session
from tests.sts.world import World, decided, signed_request

UNKNOWN = "InvalidClientTokenId"


KEYS = SealingKeys((b"k" * 32,))


SESSION = Session(
    "ASIAIOSFODNN7EXAMPLE", "secret", "111122223333", "arn:aws:iam::111122223333:role/a", "AROA", "s", 1, 2
)


SEALED = KEYS.seal(SESSION, lambda count: b"n" * count)


RAW = base64.b64decode(SEALED)


def test_keys_rotate() -> None:
    """The first key seals, all open; without the old one its sessions are over."""
    both = SealingKeys((b"n" * 32, b"k" * 32))
    assert SESSION == both.open(SEALED, SESSION.access_key_id)
    with pytest.raises(SealBroken):
        SealingKeys((b"n" * 32,)).open(SEALED, SESSION.access_key_id)
    assert SESSION == SealingKeys((b"n" * 32,)).open(both.seal(SESSION, bytes), SESSION.access_key_id)


def test_another_servers_session(aws: World) -> None:
    """Sealed by a key that is not ours, for a role that is."""
    role = aws.state.now().accounts.roles["arn:aws:iam::111122223333:role/s3-reader"]
    forged = Session("ASIAIOSFODNN7EXAMPLE", "secret", role.account, role.arn, role.unique_id, "s", 0, 2**40)
    token = SealingKeys((b"x" * 32,)).seal(forged, lambda count: b"n" * count)
    assert UNKNOWN == decided(aws, signed_request((forged.access_key_id, forged.secret, token)))
