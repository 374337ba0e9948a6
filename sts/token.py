"""An identity token: text in, verified claims out.

Two steps, since only `iss` may be believed before the signature is verified, and only to find the provider whose keys
verify it: `parse` gives an `Unverified` token, `verify` the `Claims`. The bytes that were signed are the bytes that
were parsed. Header and payload are read strictly: a member that comes twice is refused, numbers are numbers.
"""

import binascii
import functools
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sts import jwks, refusals

TOKEN_LIMIT: Final = 20_000
LEEWAY_SECONDS: Final = 300
KEPT_HEADER: Final = 512  # bytes in base64url; longer ones are read each time, since anybody may send them
OLDEST_SECONDS: Final = 24 * 3600
REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat")
_NUMBERS: Final = frozenset({int, float})  # and no bool, which is an int as well


class Unverified(msgspec.Struct, frozen=True, gc=False):
    """A well-formed token; nothing in it is to be believed.

    Attributes:
        signed: the bytes under the signature.
    """

    algorithm: str
    kid: str
    issuer: str
    payload: Mapping[str, Any]
    signed: bytes
    signature: bytes


class Claims(msgspec.Struct, frozen=True, gc=False):
    """What a verified token says.

    Attributes:
        audience: `azp` where the token has one, as AWS fills the `:aud` key, otherwise `aud`.
        original_audience: `aud` as it stands, for the `:oaud` key; empty where there is no `azp`.
        all: every claim.
    """

    issuer: str
    subject: str
    audience: str
    original_audience: str
    expires: float
    all: Mapping[str, Any]


def parse(text: str) -> Unverified:
    """Read a token without believing it; white space around it is dropped, since SDKs send the file as it is.

    Raises:
        Refused: InvalidIdentityToken; it is no JWT, has no `iss`, or an algorithm that is not one of AWS's six.
    """
    written = text.strip().encode("ascii", errors="replace")
    pieces = written.split(b".")
    if len(pieces) != 3:  # noqa: PLR2004 -- header, payload, signature
        raise refusals.not_a_jwt(f"{len(pieces)} parts instead of 3")
    # All tokens of one key have the same header, as a rule.
    read = _header if len(pieces[0]) <= KEPT_HEADER else _mapping
    header, payload = read(pieces[0], "header"), _mapping(pieces[1], "payload")
    algorithm, kid, issuer = header.get("alg"), header.get("kid", ""), payload.get("iss")
    if "crit" in header:
        raise refusals.not_a_jwt("a critical header extension")  # RFC 7515 section 4.1.11
    if not isinstance(algorithm, str) or algorithm not in jwks.ALGORITHMS:
        raise refusals.no_verification_key(
            f"algorithm {str(algorithm)[:32]!r} is not one of {', '.join(jwks.ALGORITHMS)}"
        )
    if not isinstance(kid, str):
        raise refusals.not_a_jwt("the header's kid is no text")
    if issuer is None:
        raise refusals.invalid_token("Missing a required claim: iss")
    if not isinstance(issuer, str):
        raise refusals.not_a_jwt("iss is no text")
    return Unverified(
        algorithm, kid, issuer, payload, written[: written.rindex(b".")], _decoded(pieces[2], "signature")
    )


def verify(token: Unverified, keys: tuple[jwks.Key, ...], client_ids: frozenset[str], now: float) -> Claims:
    """The claims of a token that one of `keys` signed, for one of `client_ids`, valid now.

    Raises:
        Refused: with AWS's code for the first thing that is wrong: signature, claims, audience, times.
    """
    for key in keys:
        if key.verifies(token.algorithm, token.signed, token.signature):
            break
    else:
        raise refusals.no_verification_key("the signature does not verify with the provider's key of this kid")
    for name in REQUIRED:
        value = token.payload.get(name)
        if not value and value in (None, "", []):
            raise refusals.invalid_token(f"Missing a required claim: {name}")
    audience, original = _audience(token.payload)
    if audience not in client_ids:
        raise refusals.invalid_token(
            "Incorrect token audience", f"audience {audience!r} is not in the provider's ClientIDList"
        )
    expires = _times(token.payload, now)
    subject = token.payload["sub"]
    if not isinstance(subject, str):
        raise refusals.not_a_jwt("sub is no text")
    return Claims(token.issuer, subject, audience, original, expires, token.payload)


def _audience(payload: Mapping[str, Any]) -> tuple[str, str]:
    given = payload["aud"]
    audiences = [given] if isinstance(given, str) else given
    if not isinstance(audiences, list) or not all(isinstance(each, str) for each in audiences):
        raise refusals.not_a_jwt("aud is neither a text nor a list of texts")
    authorized = payload.get("azp")
    if authorized is not None:
        if not isinstance(authorized, str) or not authorized:
            raise refusals.not_a_jwt("azp is no text")
        return authorized, audiences[0]
    if len(audiences) > 1:
        raise refusals.invalid_token(
            "Token audience contains more than one audience while authorized party is not present"
        )
    return audiences[0], ""


def _times(payload: Mapping[str, Any], now: float) -> float:
    """Check exp, nbf and iat with AWS's leeway; returns exp."""
    for name in ("exp", "iat", "nbf"):
        value = payload.get(name, 0)
        if type(value) not in _NUMBERS or not -1e12 < value < 1e12:  # noqa: PLR2004 -- NaN and infinity as well
            raise refusals.not_a_jwt(f"{name} is no time")
    expires, issued, begins = payload["exp"], payload["iat"], payload.get("nbf", 0)
    if expires + LEEWAY_SECONDS <= now:
        # No blank before the second number, as AWS writes it.
        raise refusals.token_expired(
            f"Token expired: current date/time {int(now)} must be before the expiration date/time{int(expires)}"
        )
    if issued > now + LEEWAY_SECONDS or begins > now + LEEWAY_SECONDS:
        raise refusals.invalid_token("Token is not yet valid", f"iat {issued}, nbf {begins}, now {int(now)}")
    if issued + OLDEST_SECONDS < now:
        raise refusals.token_expired(f"Token too old: {int(now - issued)}")
    return float(expires)


def _mapping(piece: bytes, name: str) -> Mapping[str, Any]:
    raw = _decoded(piece, name)
    try:
        value = _DECODER.decode(raw)
        # What is written again as it stood has no member twice, no number but its own spelling, no half a character.
        compact = _ENCODER.encode(value) == raw
    except (ValueError, OverflowError, RecursionError):
        compact = False
    if not compact:
        value = _read_strictly(raw, name)
    if not isinstance(value, dict):
        raise refusals.not_a_jwt(f"the {name} is no JSON object")
    return value


def _read_strictly(raw: bytes, name: str) -> Any:  # noqa: ANN401 -- JSON
    """JSON in any other spelling than the compact one, or none at all; to read every token so would cost much more."""
    try:
        value = _JSON.decode(raw.decode())
        if b"\\u" in raw:  # half a surrogate pair is no character: it could neither be sealed nor answered
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as problem:
        raise refusals.not_a_jwt(f"the {name} is no JSON: {problem}") from problem
    return value


_header: Final = functools.lru_cache(maxsize=256)(_mapping)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member comes twice")
    return found


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique)
_DECODER: Final = msgspec.json.Decoder()
_ENCODER: Final = msgspec.json.Encoder()

# The alphabet of base64 is not that of base64url, and padding is none of a JWT's.
_TO_PLAIN: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
# The last characters whose bits beyond the last byte are zero, by the length of the last group of four.
_LAST: Final = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
_PADDING: Final = {0: b"", 2: b"==", 3: b"="}


def _decoded(piece: bytes, name: str) -> bytes:
    """Base64url without padding, in its one canonical spelling, so that one token has one text."""
    rest = len(piece) % 4
    try:
        value = binascii.a2b_base64(piece.translate(_TO_PLAIN) + _PADDING[rest], strict_mode=True)
    except (ValueError, KeyError) as problem:
        raise refusals.not_a_jwt(f"the {name} is no base64url") from problem
    if rest and piece[-1] not in _LAST[rest]:
        raise refusals.not_a_jwt(f"the {name} is no canonical base64url")
    return value
