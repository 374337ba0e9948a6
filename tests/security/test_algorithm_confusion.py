"""Attack: a token signed by HMAC with the published key as its secret, or by an algorithm that the key is not for."""

import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

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


def test_pss_is_not_taken_for_pkcs1(aws: World) -> None:
    """PS256 is none of the six algorithms, and a PSS signature is none under RS256 either."""
    for algorithm in ("PS256", "RS256"):
        signed, parts = forged(aws, algorithm)
        signature = RSA_KEY.sign(
            signed, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH), hashes.SHA256()
        )
        parts[2] = compact_jwt(b"", b"", signature).split(".")[2]
        assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, ".".join(parts))


def test_a_key_keeps_to_its_own_algorithm(aws: World) -> None:
    """A key published for RS512 verifies no RS256 token, even a rightly signed one."""
    aws.issuer.keys[0]["alg"] = "RS512"
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, aws.issuer.token())
    assert ("ok", 200) == answer_of(aws.assume, aws.issuer.token(algorithm="RS512"))


def test_an_ec_token_needs_the_curve_of_its_algorithm(aws: World) -> None:
    """ES256 by the kid of an RSA key is refused, not tried."""
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, aws.issuer.token(kid="ec", algorithm="RS256"))
