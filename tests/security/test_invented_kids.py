"""Attack: invented kids, each of which would have the STS ask the issuer again."""

from tests.sts.world import World, answer_of


def test_invented_kids_do_not_flood_the_issuer(aws: World) -> None:
    """Fifty tokens with fifty unknown kids cost the issuer one fetch, or two, and never fifty."""
    for number in range(50):
        answer_of(aws.assume, aws.issuer.token(kid=f"invented-{number}"))
    assert aws.issuer.asked.count("jwks") <= 2
