"""Attack: a session that is used after its end."""

from tests.sts.world import World, decided, signed_request


def test_a_session_ends(aws: World) -> None:
    """To the second, and even with a fresh signature."""
    key = aws.session(DurationSeconds=900)
    request = signed_request(key)
    assert "ExpiredToken" == decided(aws, request, after=901)
    assert decided(aws, request, after=800).endswith("/session")
