"""Attack: an issuer whose key set is broken, weak, symmetric, or not there."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.security.issuers import UNREACHABLE, UNUSABLE, Handler, body
from tests.sts.world import RSA_KEY, World, answer_of, jwk

SMALL = jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024), "rsa")  # noqa: S505 -- weak on purpose

ANSWERS: dict[str, tuple[Handler, tuple[str, int]]] = {
    "not found": (body(b"", 404), UNUSABLE),
    "forbidden": (body(b"", 403), UNUSABLE),
    "out of order": (body(b"", 503), UNREACHABLE),
    "rate-limited": (body(b"", 429), UNREACHABLE),
    "no JSON": (body(b"<html>"), UNUSABLE),
    "a list": (body(b"[]"), UNUSABLE),
    "no keys": (body({"keys": []}), UNUSABLE),
    "keys of another shape": (body({"keys": ["rsa"]}), UNUSABLE),
    "a private use": (body({"keys": [{**jwk(RSA_KEY, "rsa"), "use": "enc"}]}), UNUSABLE),
    "a symmetric key": (body({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"}]}), UNUSABLE),
    "a weak key": (body({"keys": [SMALL]}), UNUSABLE),
    "a broken key beside a good one": (body({"keys": [{"kty": "RSA", "n": "AA"}, jwk(RSA_KEY, "rsa")]}), ("ok", 200)),
}


@pytest.mark.parametrize("handler, expected", ANSWERS.values(), ids=ANSWERS)
def test_what_an_issuer_may_answer(aws: World, handler: Handler, expected: tuple[str, int]) -> None:
    """AWS's code: what a retry may cure is told apart from what it may not."""
    aws.issuer.answer = handler
    assert expected == answer_of(aws.assume, aws.issuer.token())


def test_old_keys_serve_while_the_issuer_is_away(aws: World) -> None:
    """Not an attack: a key set that was fetched goes on verifying."""
    assert ("ok", 200) == answer_of(aws.assume, aws.issuer.token())
    aws.issuer.answer = body(b"", 503)
    assert ("ok", 200) == answer_of(aws.assume, aws.issuer.token())
