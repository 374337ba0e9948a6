"""Attack: a token with line breaks, too long, with members twice, or in another spelling of base64."""

import json

import jwt
import pytest

from tests.sts.world import RSA_KEY, World, answer_of, compact_jwt

REFUSED = ("InvalidIdentityToken", 400)


@pytest.mark.parametrize("place", [1, 40, 200, -10])
@pytest.mark.parametrize("character", ["\n", " ", "\r\n", "\0", "=", "+", "/", "é"])
def test_nothing_foreign_inside_a_token(aws: World, place: int, character: str) -> None:
    """White space around a token is dropped; inside it nothing is."""
    token = aws.issuer.token()
    assert REFUSED == answer_of(aws.assume, token[:place] + character + token[place:])


@pytest.mark.parametrize(
    "size, expected", [(19_000, ("ok", 200)), (20_001, ("ValidationError", 400)), (100_000, ("ValidationError", 400))]
)
def test_how_long_a_token_may_be(aws: World, size: int, expected: tuple[str, int]) -> None:
    """20,000 characters, before anything in it is read."""
    base = len(aws.issuer.token(filler=""))
    token = aws.issuer.token(filler="x" * ((size - base) * 3 // 4))
    assert expected == answer_of(aws.assume, token.ljust(size, "A") if size > 20_000 else token)


def test_a_body_beyond_the_limit(aws: World) -> None:
    """A megabyte is not even read to its end."""
    assert ("RequestEntityTooLarge", 413) == answer_of(aws.assume, "x" * 1_000_000)


def claims_of(token: str) -> dict[str, object]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


@pytest.mark.parametrize(
    "name, value", [("sub", "system:serviceaccount:default:admin"), ("aud", "x"), ("exp", 1), ("iss", "x")]
)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_claim_that_comes_twice(aws: World, name: str, value: object, first: bool) -> None:
    """Readers differ in which of the two counts; so neither does, though the signature is good."""
    written = json.dumps(claims_of(aws.issuer.token()))
    again = json.dumps({name: value})[1:-1]
    twice = f"{{{again}, {written[1:]}" if first else f"{written[:-1]}, {again}}}"
    token = compact_jwt(b'{"alg":"RS256","kid":"rsa"}', twice.encode(), RSA_KEY)
    assert REFUSED == answer_of(aws.assume, token)


def test_a_header_member_that_comes_twice(aws: World) -> None:
    """The same for `alg`."""
    payload = json.dumps(claims_of(aws.issuer.token())).encode()
    token = compact_jwt(b'{"alg":"none","kid":"rsa","alg":"RS256"}', payload, RSA_KEY)
    assert REFUSED == answer_of(aws.assume, token)


def test_a_critical_extension_that_we_do_not_know(aws: World) -> None:
    """RFC 7515 section 4.1.11 forbids to pass over it."""
    payload = json.dumps(claims_of(aws.issuer.token())).encode()
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
