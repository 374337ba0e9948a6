"""Attack: a token that brings its own key, or says where it is."""

from tests.sts.world import FOREIGN_KEY, World, answer_of, jwk


def test_a_key_inside_the_token_is_not_looked_at(aws: World) -> None:
    """`jwk`, `jku`, `x5u` in the header come from whoever made the token."""
    import jwt

    header = {"kid": "rsa", "jwk": jwk(FOREIGN_KEY, "rsa"), "jku": f"{aws.issuer.url}/openid/v1/jwks"}
    claims = jwt.decode(aws.issuer.token(), options={"verify_signature": False})
    token = jwt.encode(claims, FOREIGN_KEY, "RS256", headers=header)
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, token)
