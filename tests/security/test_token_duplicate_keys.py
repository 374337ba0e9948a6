"""Attack: a token whose JSON has a member twice, so that two readers see two tokens."""

import json

import pytest

from tests.security.tokens import claims_in
from tests.sts.world import RSA_KEY, World, answer_of, compact_jwt

REFUSED = ("InvalidIdentityToken", 400)


@pytest.mark.parametrize(
    "name, value", [("sub", "system:serviceaccount:default:admin"), ("aud", "x"), ("exp", 1), ("iss", "x")]
)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_claim_that_comes_twice(aws: World, name: str, value: object, first: bool) -> None:
    """Readers differ in which of the two counts; so neither does, though the signature is good."""
    written = json.dumps(claims_in(aws.issuer.token()))
    again = json.dumps({name: value})[1:-1]
    twice = f"{{{again}, {written[1:]}" if first else f"{written[:-1]}, {again}}}"
    token = compact_jwt(b'{"alg":"RS256","kid":"rsa"}', twice.encode(), RSA_KEY)
    assert REFUSED == answer_of(aws.assume, token)


def test_a_header_member_that_comes_twice(aws: World) -> None:
    """The same for `alg`."""
    payload = json.dumps(claims_in(aws.issuer.token())).encode()
    token = compact_jwt(b'{"alg":"none","kid":"rsa","alg":"RS256"}', payload, RSA_KEY)
    assert REFUSED == answer_of(aws.assume, token)
