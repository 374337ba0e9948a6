"""Attack: a token that says it needs no signature."""

import json

import pytest

from tests.sts.world import World, answer_of, compact_jwt


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, ["RS256"], 256])
@pytest.mark.parametrize("signature", [b"", b"x"], ids=["unsigned", "some bytes"])
def test_a_token_without_a_signature_is_refused(aws: World, algorithm: object, signature: bytes) -> None:
    """Whatever the spelling of `none`, and with or without bytes where the signature should be."""
    _, payload, _ = aws.issuer.token().split(".")
    header = json.dumps({"alg": algorithm, "typ": "JWT", "kid": "rsa"}).encode()
    unsigned = compact_jwt(header, b"", signature).split(".")
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, f"{unsigned[0]}.{payload}.{unsigned[2]}")
