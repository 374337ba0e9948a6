"""One clock for the attacks on a token's times: what is decided on a token at `NOW`, to the second."""

from typing import Any

from sts import jwks, token
from sts.refusals import Refused
from tests.sts.world import RSA_KEY, Issuer

NOW = 1_800_000_000
KEYS = (jwks.Key(RSA_KEY.public_key(), "RSA"),)


def decision(claims: dict[str, Any]) -> str:
    """What a token with these claims gets: "ok", or the code of the refusal."""
    times = {"exp": NOW + 3600, "iat": NOW - 10, "nbf": NOW - 10, **claims}
    parsed = token.parse(Issuer("https://issuer.example").token(**times))
    try:
        token.verify(parsed, KEYS, frozenset({"sts.amazonaws.com"}), NOW)
    except Refused as refused:
        return refused.code
    return "ok"
