"""Public keys out of PEM, as `kube-apiserver --service-account-key-file` reads them.

The kid is the API server's own: base64url without padding of SHA-256 over the DER of SubjectPublicKeyInfo. A private
key is refused, not stripped: where it lies in our reach it is lost.
"""

import base64
import hashlib
import re
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from oidc.errors import DocumentError, RefusedError
from oidc.jwk import JWK, Unsuitable, encode, from_members
from oidc.jwks import Left

_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s(?:(?!-----).)*-----END \1-----", re.DOTALL)
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def parse(pem: bytes, place: str) -> tuple[list[JWK], list[Left]]:
    """The keys of all PEM blocks, and those left out; `place` is named in errors.

    Raises:
        DocumentError: there is no key in it, or one that cannot be read.
        RefusedError: there is a private key in it.
    """
    keys: list[JWK] = []
    left: list[Left] = []
    for block in _BLOCK.finditer(pem):
        public = _public_key(block[1].decode("ascii"), block[0], place)
        if public is None:
            continue
        try:
            keys.append(from_members(members(public)))
        except Unsuitable as unsuitable:
            left.append(Left(kid(public), str(unsuitable)))
    if not keys and not left:
        raise DocumentError(f"{place}: no PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE in it")
    return keys, left


def kid(public: PublicKeyTypes) -> str:
    """The name that kube-apiserver gives a key."""
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode("ascii")


def members(public: PublicKeyTypes) -> dict[str, object]:
    """The JWKS entry of a key; of a type that has none, an entry that names it."""
    match public:
        case rsa.RSAPublicKey():
            numbers = public.public_numbers()
            return {"kid": kid(public), "kty": "RSA", "n": encode(numbers.n), "e": encode(numbers.e)}
        case ec.EllipticCurvePublicKey():
            point, size = public.public_numbers(), (public.curve.key_size + 7) // 8
            curve = _CURVES.get(public.curve.name, public.curve.name)
            return {
                "kid": kid(public),
                "kty": "EC",
                "crv": curve,
                "x": encode(point.x, size),
                "y": encode(point.y, size),
            }
        case _:
            return {"kid": kid(public), "kty": type(public).__name__}


def _public_key(label: str, block: bytes, place: str) -> PublicKeyTypes | None:
    try:
        match label:
            case "PUBLIC KEY" | "RSA PUBLIC KEY":
                return serialization.load_pem_public_key(block)
            case "CERTIFICATE":
                return x509.load_pem_x509_certificate(block).public_key()
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise DocumentError(f"{place}: {label}: {problem}") from None
    if "PRIVATE KEY" in label:
        raise RefusedError("private", f"{place} holds a {label}; give the public key alone (openssl pkey -pubout)")
    return None  # as kube-apiserver: parameters and the like are passed over
