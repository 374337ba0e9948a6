# ruff: noqa: E501 -- a case of a table is a line
"""Attack: a kid that is a path, a query, a URL, or not even text."""

import json

import pytest

from tests.security.tokens import claims_in
from tests.sts.world import RSA_KEY, World, answer_of, compact_jwt

KIDS = [
    "../../../../dev/null", "/etc/passwd", "rsa' OR '1'='1", "rsa\x00", "http://169.254.169.254/", "rsa\n", "RSA", "rsa ",
    "x" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("kid", KIDS)
def test_a_kid_is_only_ever_compared(aws: World, kid: str) -> None:
    """A kid that is not published is unknown, whatever it looks like; a good signature does not help."""
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, aws.issuer.token(kid=kid))


@pytest.mark.parametrize("kid", [1, None, ["rsa"], {"kid": "rsa"}, True])
def test_a_kid_that_is_no_text(aws: World, kid: object) -> None:
    """Well signed, and a header whose kid is no text belongs to no JWT."""
    claims = json.dumps(claims_in(aws.issuer.token())).encode()
    token = compact_jwt(json.dumps({"alg": "RS256", "kid": kid}).encode(), claims, RSA_KEY)
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, token)


def test_a_token_without_a_kid_is_tried_with_every_key(aws: World) -> None:
    """Not an attack: RFC 7515 lets an issuer leave it out."""
    import jwt

    claims = jwt.decode(aws.issuer.token(), options={"verify_signature": False})
    assert ("ok", 200) == answer_of(aws.assume, jwt.encode(claims, RSA_KEY, "RS256"))
