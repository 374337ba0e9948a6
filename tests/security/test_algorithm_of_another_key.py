"""Attack: a token signed by an algorithm that its key is not for."""

import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.sts.world import RSA_KEY, World, answer_of, compact_jwt


def forged(here: World, algorithm: str) -> tuple[bytes, list[str]]:
    """The bytes to sign, and the token's parts."""
    parts = compact_jwt(json.dumps({"alg": algorithm, "kid": "rsa"}).encode(), b"", b"x").split(".")
    parts[1] = here.issuer.token().split(".")[1]
    return f"{parts[0]}.{parts[1]}".encode(), parts


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
