"""Attack: a token that was stolen, and is used after its end."""

from tests.sts.world import World, answer_of


def test_a_stolen_token_ends(aws: World) -> None:
    """Replayed while it lives it works, as on AWS; replayed after its end it does not."""
    stolen = aws.issuer.token()
    assert ("ok", 200) == answer_of(aws.assume, stolen)
    assert ("ok", 200) == answer_of(aws.assume, stolen)
    aws.offset = 3600 + 301
    assert ("ExpiredTokenException", 400) == answer_of(aws.assume, stolen)
