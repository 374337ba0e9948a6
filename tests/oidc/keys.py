"""Keys for the tests: made up once a session, as PEM and as what a JWKS says of them."""

from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


@cache
def private(name: str, algorithm: str = "ES256") -> Any:
    """A private key of that name; the same at every call."""
    if algorithm.startswith("RS"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(CURVES[algorithm])


def jwk(name: str, algorithm: str = "ES256", /, **members: object) -> dict[str, Any]:
    """The JWKS entry of the key of that name, written by PyJWT; `members` are added or replaced."""
    writer = RSAAlgorithm if algorithm.startswith("RS") else ECAlgorithm
    entry = writer.to_jwk(private(name, algorithm).public_key(), as_dict=True)
    return {
        **{k: v for k, v in entry.items() if k != "key_ops"},
        "kid": name,
        "alg": algorithm,
        "use": "sig",
        **members,
    }


def private_jwk(name: str, algorithm: str = "ES256") -> dict[str, Any]:
    """The entry with its private members, as nobody may ever publish it."""
    writer = RSAAlgorithm if algorithm.startswith("RS") else ECAlgorithm
    entry = writer.to_jwk(private(name, algorithm), as_dict=True)
    return {**{k: v for k, v in entry.items() if k != "key_ops"}, "kid": name, "alg": algorithm, "use": "sig"}


def public_pem(name: str, algorithm: str = "ES256") -> bytes:
    """SubjectPublicKeyInfo as PEM."""
    return bytes(
        private(name, algorithm)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
