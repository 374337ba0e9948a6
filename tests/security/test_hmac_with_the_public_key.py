"""Attack: a token signed by HMAC with the published key as its secret."""

import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization

from tests.sts.world import RSA_KEY, World, answer_of, compact_jwt, jwk

PUBLIC = RSA_KEY.public_key()


FORMS = {
    "PEM": PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    "PEM, PKCS1": PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
    "DER": PUBLIC.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    "modulus": jwk(RSA_KEY, "rsa")["n"].encode(),
}


def forged(here: World, algorithm: str) -> tuple[bytes, list[str]]:
    """The bytes to sign, and the token's parts."""
    parts = compact_jwt(json.dumps({"alg": algorithm, "kid": "rsa"}).encode(), b"", b"x").split(".")
    parts[1] = here.issuer.token().split(".")[1]
    return f"{parts[0]}.{parts[1]}".encode(), parts


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("secret", FORMS.values(), ids=FORMS)
def test_the_public_key_is_no_hmac_secret(aws: World, algorithm: str, secret: bytes) -> None:
    """In whatever form the key was used."""
    signed, parts = forged(aws, algorithm)
    mac = hmac.digest(secret, signed, getattr(hashlib, algorithm.replace("HS", "sha")))
    assert ("InvalidIdentityToken", 400) == answer_of(
        aws.assume, ".".join([*parts[:2], compact_jwt(b"", b"", mac).split(".")[2]])
    )
