"""Attack: bytes in a header that are no text, to bring the STS down or into an error of its own."""

import pytest

from tests.security.wire import sent, status, written
from tests.sts.world import USER_KEY, World, decided, signed_request

REQUEST = signed_request(USER_KEY)
AUTHORIZATION = REQUEST.header("authorization").encode()
ODD = {
    "in the signature": {"authorization": AUTHORIZATION[:-1] + b"\xff"},
    "in the region": {"authorization": AUTHORIZATION.replace(b"us-east-1", b"us-\xff")},
    "in the key's id": {"authorization": AUTHORIZATION.replace(b"AKIA", b"AKI\xff")},
    "in the signed headers' names": {"authorization": AUTHORIZATION.replace(b"host;", b"h\xffst;")},
    "in the date": {"x-amz-date": b"2026\xff"},
    "in a signed header": {"content-type": b"application/x-www-form-urlencoded; charset=\xff"},
    "in a session token": {"x-amz-security-token": b"\xff\xfe"},
    "half a surrogate pair": {"content-type": b"application/x-www-form-urlencoded; charset=\xed\xa0\x80"},
}


@pytest.mark.parametrize("changed", ODD.values(), ids=ODD)
def test_bytes_that_are_no_text_are_refused(aws: World, changed: dict[str, bytes]) -> None:
    """As the client's fault, not as one of ours."""
    assert 200 == status(sent(aws, written(REQUEST)))
    assert status(sent(aws, written(REQUEST, changed))) in {400, 403}


def test_an_unsigned_header_may_have_any(aws: World) -> None:
    """Not an attack: a User-Agent in Latin-1."""
    assert 200 == status(sent(aws, written(REQUEST, {"user-agent": b"caf\xe9"})))


def test_a_signature_over_such_bytes_holds(aws: World) -> None:
    """Not an attack: botocore signs them as UTF-8, and so they come."""
    request = signed_request(USER_KEY, headers={"x-amz-meta-name": "caf\u00e9"})
    assert decided(aws, request).endswith("/david")
