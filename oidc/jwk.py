"""One public signing key as a JSON Web Key (RFC 7517, RFC 7518 section 6).

A `JWK` holds the public members only and has been checked: whoever has one may publish it. What a relying party such as
AWS STS would not accept is `Unsuitable`, which costs that one key; a private member is no such thing, it fails the
whole set, since whoever sent it has lost the key.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import msgspec

from oidc.errors import RefusedError

# AWS: "RS256, RS384, RS512, ES256, ES384 or ES512"; a Kubernetes key is RS256, or the one algorithm of its curve.
RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512")
CURVES: Final = {"P-256": ("ES256", 32), "P-384": ("ES384", 48), "P-521": ("ES512", 66)}
# RFC 7518 sections 6.2.2, 6.3.2, 6.4.1; `k` is a symmetric key, and as private as the others.
PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
MINIMUM_RSA_BITS: Final = 2048  # RFC 7518 section 3.3
MAXIMUM_RSA_BITS: Final = 16384
KID_LIMIT: Final = 1024  # characters; an external signer may choose them (KEP-740 allows as many)


class Unsuitable(Exception):  # noqa: N818 -- not an error: the key is left out, the others are published
    """A key that a relying party would not accept; the message says why."""


class JWK(msgspec.Struct, frozen=True, omit_defaults=True, order=True):
    """A public key that may be published; `n` and `e` for RSA, `crv`, `x` and `y` for EC."""

    kid: str
    kty: str
    alg: str
    use: str
    n: str = ""
    e: str = ""
    crv: str = ""
    x: str = ""
    y: str = ""


def from_members(members: Mapping[str, object]) -> JWK:
    """The key that a JWKS entry holds, without the members that we do not know.

    Raises:
        RefusedError: it has a private member; nothing of its set may be published.
        Unsuitable: relying parties would not accept this key.
    """
    kid = _text(members, "kid")
    if private := sorted(PRIVATE_MEMBERS & members.keys()):
        raise RefusedError("private", f"key {kid[:64]!r} has the private member {private[0]!r}; it is lost, replace it")
    if not kid or len(kid) > KID_LIMIT:
        raise Unsuitable(f"its kid has {len(kid)} characters; 1 to {KID_LIMIT} are possible")
    if members.get("use", "sig") != "sig":
        raise Unsuitable("it is not for signatures")
    match members.get("kty"):
        case "RSA":
            return _rsa(kid, members)
        case "EC":
            return _ec(kid, members)
        case other:
            raise Unsuitable(f"key type {other!r}; STS takes RSA and EC")


def _rsa(kid: str, members: Mapping[str, object]) -> JWK:
    algorithm = _text(members, "alg") or "RS256"
    if algorithm not in RSA_ALGORITHMS:
        raise Unsuitable(f"algorithm {algorithm!r}; STS takes {', '.join(RSA_ALGORITHMS)} of an RSA key")
    modulus, exponent = _number(members, "n"), _number(members, "e")
    if not MINIMUM_RSA_BITS <= modulus.bit_length() <= MAXIMUM_RSA_BITS or not modulus & 1:
        raise Unsuitable(
            f"a modulus of {modulus.bit_length()} bits; at least {MINIMUM_RSA_BITS} and odd (RFC 7518 3.3)"
        )
    if not 3 <= exponent < 1 << 31 or not exponent & 1:  # noqa: PLR2004 -- RSA's least, and the largest that Go reads
        raise Unsuitable(f"the public exponent {exponent}")
    return JWK(kid=kid, kty="RSA", alg=algorithm, use="sig", n=encode(modulus), e=encode(exponent))


def _ec(kid: str, members: Mapping[str, object]) -> JWK:
    curve = _text(members, "crv")
    if curve not in CURVES:
        raise Unsuitable(f"curve {curve!r}; STS takes {', '.join(CURVES)}")
    algorithm, size = CURVES[curve]
    if (_text(members, "alg") or algorithm) != algorithm:
        raise Unsuitable(f"algorithm {members.get('alg')!r}; a key on {curve} signs {algorithm}")
    x, y = _number(members, "x"), _number(members, "y")
    if not on_curve(curve, x, y):
        raise Unsuitable(f"its point is not on {curve}")
    return JWK(kid=kid, kty="EC", alg=algorithm, use="sig", crv=curve, x=encode(x, size), y=encode(y, size))


# FIPS 186-4 D.1.2: the prime and b of y² = x³ - 3x + b.
_PARAMETERS: Final = {
    "P-256": (
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    "P-384": (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    "P-521": (
        2**521 - 1,
        0x051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
    ),
}


def on_curve(curve: str, x: int, y: int) -> bool:
    """Whether (x, y) is a point of `curve`; the server does this without cryptography, which would cost it 8 MiB."""
    prime, b = _PARAMETERS[curve]
    return 0 <= x < prime and 0 <= y < prime and (y * y - (x * x * x - 3 * x + b)) % prime == 0


def encode(number: int, size: int | None = None) -> str:
    """Big-endian base64url without padding: minimal for RSA (RFC 7518 2), `size` bytes for a coordinate (6.2.1.2)."""
    length = size or (number.bit_length() + 7) // 8
    return base64.urlsafe_b64encode(number.to_bytes(length, "big")).rstrip(b"=").decode("ascii")


def _number(members: Mapping[str, object], name: str) -> int:
    text = _text(members, name)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Unsuitable(f"member {name!r} is no base64url") from None
    if not raw or len(raw) > MAXIMUM_RSA_BITS // 8:
        raise Unsuitable(f"member {name!r} has {len(raw)} bytes")
    return int.from_bytes(raw, "big")


def _text(members: Mapping[str, object], name: str) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise Unsuitable(f"member {name!r} is no string")
    return value
