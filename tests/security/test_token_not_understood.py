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


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param({"https://aws.amazon.com/tags/transitive_tag_keys": ["\ud800"]}, id="a tag"),
        pytest.param({"email": "\udfff"}, id="a claim that nobody reads"),
        pytest.param({"\ud800": 1}, id="a claim's name"),
    ],
)
def test_half_a_surrogate_pair(aws: World, claim: dict[str, object]) -> None:
    """JSON can say it, UTF-8 cannot: it is no text, and no error of ours; a whole pair is one."""
    claims = claims_in(aws.issuer.token())
    half, whole = (compact_jwt(b'{"alg":"RS256","kid":"rsa"}', json.dumps(claims | more).encode(), RSA_KEY)
                   for more in (claim, {"email": "\U0001f511"}))  # fmt: skip
    assert REFUSED == answer_of(aws.assume, half)
    assert ("ok", 200) == answer_of(aws.assume, whole)


@pytest.mark.parametrize("parts", [1, 2, 4, 5])
def test_a_token_of_other_than_three_parts(aws: World, parts: int) -> None:
    """JWE has five."""
    pieces = aws.issuer.token().split(".")
    assert REFUSED == answer_of(aws.assume, ".".join((pieces * 2)[:parts]))
