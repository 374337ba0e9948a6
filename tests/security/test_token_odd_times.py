"""Attack: times that are no numbers, or numbers that a comparison lies about."""

from typing import Any

import pytest

from tests.security.times import NOW, decision

TIMES: dict[str, tuple[dict[str, Any], str]] = {
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
def test_a_time_is_a_number(claims: dict[str, Any], expected: str) -> None:
    """And a finite one."""
    assert expected == decision(claims)
