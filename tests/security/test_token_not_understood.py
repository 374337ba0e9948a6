"""Attack: a token that is well signed, and no JWT that we understand whole."""

import json

import pytest

from tests.security.tokens import claims_in
from tests.sts.world import RSA_KEY, World, answer_of, compact_jwt

REFUSED = ("InvalidIdentityToken", 400)


def test_a_critical_extension_that_we_do_not_know(aws: World) -> None:
    """RFC 7515 section 4.1.11 forbids to pass over it."""
    payload = json.dumps(claims_in(aws.issuer.token())).encode()
    token = compact_jwt(b'{"alg":"RS256","kid":"rsa","crit":["exp"]}', payload, RSA_KEY)
    assert REFUSED == answer_of(aws.assume, token)


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"1", b"{", b"\xff", b"[" * 9000, b'{"iss": NaN'], ids=str)
def test_a_payload_that_is_no_object(aws: World, payload: bytes) -> None:
    """Well signed, and nothing."""
    assert REFUSED == answer_of(aws.assume, compact_jwt(b'{"alg":"RS256","kid":"rsa"}', payload, RSA_KEY))


@pytest.mark.parametrize("parts", [1, 2, 4, 5])
def test_a_token_of_other_than_three_parts(aws: World, parts: int) -> None:
    """JWE has five."""
    pieces = aws.issuer.token().split(".")
    assert REFUSED == answer_of(aws.assume, ".".join((pieces * 2)[:parts]))
