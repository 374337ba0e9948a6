"""Attack: a token that was made for somebody else, hidden in a list or behind an authorized party."""

from typing import Any

import pytest

from tests.sts.world import World, answer_of

REFUSED, OK = ("InvalidIdentityToken", 400), ("ok", 200)
STS = "sts.amazonaws.com"

CLAIMS: dict[str, tuple[dict[str, Any], tuple[str, int]]] = {
    "the audience as a text": ({"aud": STS}, OK),
    "a list of one": ({"aud": [STS]}, OK),
    "another one": ({"aud": ["vault"]}, REFUSED),
    "two, ours first": ({"aud": [STS, "vault"]}, REFUSED),
    "two, ours last": ({"aud": ["vault", STS]}, REFUSED),
    "ours twice": ({"aud": [STS, STS]}, REFUSED),
    "an empty list": ({"aud": []}, REFUSED),
    "an empty text": ({"aud": ""}, REFUSED),
    "a list in a list": ({"aud": [[STS]]}, REFUSED),
    "an object": ({"aud": {STS: STS}}, REFUSED),
    "a number": ({"aud": 1}, REFUSED),
    "capitals": ({"aud": [STS.upper()]}, REFUSED),
    "a beginning": ({"aud": [STS + ".evil.example"]}, REFUSED),
    "ours, for another party": ({"aud": [STS], "azp": "vault"}, REFUSED),
    "two, for us": ({"aud": [STS, "vault"], "azp": STS}, OK),
    "another, for us": ({"aud": ["vault"], "azp": STS}, OK),
    "azp that is a list": ({"aud": [STS], "azp": [STS]}, REFUSED),
    "azp that is empty": ({"aud": [STS], "azp": ""}, REFUSED),
}


@pytest.mark.parametrize("claims, expected", CLAIMS.values(), ids=CLAIMS)
def test_who_a_token_is_for(aws: World, claims: dict[str, Any], expected: tuple[str, int]) -> None:
    """One audience, or an authorized party, and it has to be a registered client."""
    assert expected == answer_of(aws.assume, aws.issuer.token(**claims))
