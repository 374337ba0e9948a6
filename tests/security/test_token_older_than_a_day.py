"""Attack: a token that was made long ago, and still runs."""

from typing import Any

import pytest

from tests.security.times import NOW, decision

TIMES: dict[str, tuple[dict[str, Any], str]] = {
    "made 24 h ago": ({"iat": NOW - 86400}, "ok"),
    "made 24 h and a second ago": ({"iat": NOW - 86401}, "ExpiredTokenException"),
    "made at the beginning of time": ({"iat": 0}, "ExpiredTokenException"),
    "made before it": ({"iat": -1}, "ExpiredTokenException"),
}


@pytest.mark.parametrize("claims, expected", TIMES.values(), ids=TIMES)
def test_how_old_a_token_may_be(claims: dict[str, Any], expected: str) -> None:
    """A day, whatever its end."""
    assert expected == decision(claims)
