"""A provider's published keys: JWKS bytes in, public keys out.

Kept are RSA keys from 2048 bits and EC keys on P-256, P-384 and P-521, for signatures; what else stands in the set is
passed over, as RFC 7517 section 5 asks. A set without one usable key is an error, and so is one with more than 100 keys
of a kind.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import Algorithm, ECAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

KEYS_OF_A_KIND: Final = 100
RSA_BITS: Final = 2048  # RFC 7518 section 3.3

# The six algorithms that AWS takes, and the curve that each EC one needs.
ALGORITHMS: Final[Mapping[str, tuple[Algorithm, str]]] = {
    "RS256": (RSAAlgorithm(RSAAlgorithm.SHA256), "RSA"),
    "RS384": (RSAAlgorithm(RSAAlgorithm.SHA384), "RSA"),
    "RS512": (RSAAlgorithm(RSAAlgorithm.SHA512), "RSA"),
    "ES256": (ECAlgorithm(ECAlgorithm.SHA256), "secp256r1"),
    "ES384": (ECAlgorithm(ECAlgorithm.SHA384), "secp384r1"),
    "ES512": (ECAlgorithm(ECAlgorithm.SHA512), "secp521r1"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and what it may verify.

    Attributes:
        kind: `RSA`, or the name of the EC key's curve.
        algorithm: the only one it is for, empty where the set does not say.
    """

    public: RSAPublicKey | EllipticCurvePublicKey
    kind: str
    algorithm: str = ""

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether `signature` over `signed` is this key's, by an algorithm that the key is for."""
        method, kind = ALGORITHMS[algorithm]
        if kind != self.kind or self.algorithm not in {"", algorithm}:
            return False
        return bool(method.verify(signed, self.public, signature))


KeySet = Mapping[str, tuple[Key, ...]]
"""kid -> the keys of that name; as a rule one."""


class UnusableKeys(ValueError):  # noqa: N818 -- a state of the document
    """A JWKS that cannot serve; the text says why."""


def parse(document: bytes) -> KeySet:
    """The usable keys by kid; a key without one has the name "".

    Raises:
        UnusableKeys: no JWKS, too many keys, or none that is usable.
    """
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise UnusableKeys("the JWKS is no JSON object with an array `keys`") from problem
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UnusableKeys("the JWKS is no JSON object with an array `keys`")
    for kind in ("RSA", "EC"):
        count = sum(entry.get("kty") == kind for entry in entries)
        if count > KEYS_OF_A_KIND:
            raise UnusableKeys(f"{count} {kind} keys; at most {KEYS_OF_A_KIND} are allowed")
    found: dict[str, tuple[Key, ...]] = {}
    for entry in entries:
        if key := _usable(entry):
            name = entry.get("kid", "")
            if isinstance(name, str):
                found[name] = (*found.get(name, ()), key)
    if not found:
        raise UnusableKeys("the JWKS has no RSA or EC key that is usable for signatures")
    return found


def _usable(entry: dict[str, Any]) -> Key | None:
    if entry.get("use", "sig") != "sig":
        return None
    algorithm = entry.get("alg", "")
    if algorithm not in {"", *ALGORITHMS}:
        return None
    public = {name: value for name, value in entry.items() if name in {"kty", "n", "e", "crv", "x", "y"}}
    try:
        if entry.get("kty") == "RSA":
            rsa = RSAAlgorithm.from_jwk(public)
            return Key(rsa, "RSA", algorithm) if isinstance(rsa, RSAPublicKey) and rsa.key_size >= RSA_BITS else None
        if entry.get("kty") == "EC":
            elliptic = ECAlgorithm.from_jwk(public)
            if isinstance(elliptic, EllipticCurvePublicKey) and elliptic.curve.name in {
                kind for _, kind in ALGORITHMS.values()
            }:
                return Key(elliptic, elliptic.curve.name, algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    return None
