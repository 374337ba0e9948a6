"""Attack: a token before its time or after its end, at the very edges of AWS's five minutes."""

from typing import Any

import pytest

from tests.security.times import NOW, decision

TIMES: dict[str, tuple[dict[str, Any], str]] = {
    "over for 299 s": ({"exp": NOW - 299}, "ok"),
    "over for 301 s": ({"exp": NOW - 301}, "ExpiredTokenException"),
    "begins in 299 s": ({"nbf": NOW + 299}, "ok"),
    "begins in 301 s": ({"nbf": NOW + 301}, "InvalidIdentityToken"),
    "made in 299 s": ({"iat": NOW + 299}, "ok"),
    "made in 301 s": ({"iat": NOW + 301}, "InvalidIdentityToken"),
}


@pytest.mark.parametrize("claims, expected", TIMES.values(), ids=TIMES)
def test_when_a_token_is_valid(claims: dict[str, Any], expected: str) -> None:
    """To the second, on both sides."""
    assert expected == decision(claims)
