"""Attack: a token, or a whole body, that is too large."""

import pytest

from tests.sts.world import World, answer_of


@pytest.mark.parametrize(
    "size, expected", [(19_000, ("ok", 200)), (20_001, ("ValidationError", 400)), (100_000, ("ValidationError", 400))]
)
def test_how_long_a_token_may_be(aws: World, size: int, expected: tuple[str, int]) -> None:
    """20,000 characters, before anything in it is read."""
    base = len(aws.issuer.token(filler=""))
    token = aws.issuer.token(filler="x" * ((size - base) * 3 // 4))
    assert expected == answer_of(aws.assume, token.ljust(size, "A") if size > 20_000 else token)


def test_a_body_beyond_the_limit(aws: World) -> None:
    """A megabyte is not even read to its end."""
    assert ("RequestEntityTooLarge", 413) == answer_of(aws.assume, "x" * 1_000_000)
