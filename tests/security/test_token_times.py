"""Attack: a token before its time, after its end, or replayed later; at the very edges of AWS's five minutes."""

from typing import Any

import pytest

from sts import jwks, token
from sts.refusals import Refused
from tests.sts.world import RSA_KEY, Issuer, World, answer_of

NOW = 1_800_000_000
KEYS = (jwks.Key(RSA_KEY.public_key(), "RSA"),)

TIMES: dict[str, tuple[dict[str, Any], str]] = {
    "over for 299 s": ({"exp": NOW - 299}, "ok"),
    "over for 301 s": ({"exp": NOW - 301}, "ExpiredTokenException"),
    "begins in 299 s": ({"nbf": NOW + 299}, "ok"),
    "begins in 301 s": ({"nbf": NOW + 301}, "InvalidIdentityToken"),
    "made in 299 s": ({"iat": NOW + 299}, "ok"),
    "made in 301 s": ({"iat": NOW + 301}, "InvalidIdentityToken"),
    "made 24 h ago": ({"iat": NOW - 86400}, "ok"),
    "made 24 h and a second ago": ({"iat": NOW - 86401}, "ExpiredTokenException"),
    "no end": ({"exp": None}, "InvalidIdentityToken"),
    "end as a text": ({"exp": str(NOW + 60)}, "InvalidIdentityToken"),
    "end as true": ({"exp": True}, "InvalidIdentityToken"),
    "end in infinity": ({"exp": float("inf")}, "InvalidIdentityToken"),
    "end that is no number": ({"exp": float("nan")}, "InvalidIdentityToken"),
    "made as a text": ({"iat": str(NOW)}, "InvalidIdentityToken"),
    "begins as a list": ({"nbf": [NOW]}, "InvalidIdentityToken"),
    "a fraction": ({"exp": NOW + 0.5}, "ok"),
}


@pytest.mark.parametrize("claims, expected", TIMES.values(), ids=TIMES)
def test_when_a_token_is_valid(claims: dict[str, Any], expected: str) -> None:
    """To the second, on both sides."""
    times = {"exp": NOW + 3600, "iat": NOW - 10, "nbf": NOW - 10, **claims}
    parsed = token.parse(Issuer("https://issuer.example").token(**times))
    try:
        token.verify(parsed, KEYS, frozenset({"sts.amazonaws.com"}), NOW)
        seen = "ok"
    except Refused as refused:
        seen = refused.code
    assert expected == seen


def test_a_stolen_token_ends(aws: World) -> None:
    """Replayed while it lives it works, as on AWS; replayed after its end it does not."""
    stolen = aws.issuer.token()
    assert ("ok", 200) == answer_of(aws.assume, stolen)
    assert ("ok", 200) == answer_of(aws.assume, stolen)
    aws.offset = 3600 + 301
    assert ("ExpiredTokenException", 400) == answer_of(aws.assume, stolen)
