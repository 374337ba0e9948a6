"""Attack: a token with line breaks, or other characters that a lenient reader passes over."""

import pytest

from tests.sts.world import World, answer_of

REFUSED = ("InvalidIdentityToken", 400)


@pytest.mark.parametrize("place", [1, 40, 200, -10])
@pytest.mark.parametrize("character", ["\n", " ", "\r\n", "\0", "=", "+", "/", "é"])
def test_nothing_foreign_inside_a_token(aws: World, place: int, character: str) -> None:
    """White space around a token is dropped; inside it nothing is."""
    token = aws.issuer.token()
    assert REFUSED == answer_of(aws.assume, token[:place] + character + token[place:])
