# ruff: noqa: E501 -- a case of a table is a line
"""Attack: a token signed by another key, under the kid of a known one."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sts.world import FOREIGN_KEY, World, answer_of, jwk

FOREIGN_EC = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "key, kid, algorithm",
    [(FOREIGN_KEY, "rsa", "RS256"), (FOREIGN_EC, "ec", "ES256"), (FOREIGN_EC, "rsa", "ES256"), (FOREIGN_KEY, "ec", "RS256")],
    ids=["rsa as rsa", "ec as ec", "ec as rsa", "rsa as ec"],
)  # fmt: skip
def test_a_known_kid_does_not_help(aws: World, key: object, kid: str, algorithm: str) -> None:
    """The kid only says which key to try."""
    token = aws.issuer.token(key=key, kid=kid, algorithm=algorithm)
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, token)


def test_a_key_inside_the_token_is_not_looked_at(aws: World) -> None:
    """`jwk`, `jku`, `x5u` in the header come from whoever made the token."""
    import jwt

    header = {"kid": "rsa", "jwk": jwk(FOREIGN_KEY, "rsa"), "jku": f"{aws.issuer.url}/openid/v1/jwks"}
    claims = jwt.decode(aws.issuer.token(), options={"verify_signature": False})
    token = jwt.encode(claims, FOREIGN_KEY, "RS256", headers=header)
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, token)
