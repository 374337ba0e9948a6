"""Attack: a token with our audience that another party was authorized to use (`azp`)."""

from typing import Any

import pytest

from tests.sts.world import World, answer_of

REFUSED, OK = ("InvalidIdentityToken", 400), ("ok", 200)
STS = "sts.amazonaws.com"

CLAIMS: dict[str, tuple[dict[str, Any], tuple[str, int]]] = {
    "ours, for another party": ({"aud": [STS], "azp": "vault"}, REFUSED),
    "two, for another party": ({"aud": [STS, "vault"], "azp": "vault"}, REFUSED),
    "two, for us": ({"aud": [STS, "vault"], "azp": STS}, OK),
    "another, for us": ({"aud": ["vault"], "azp": STS}, OK),
    "a list": ({"aud": [STS], "azp": [STS]}, REFUSED),
    "empty": ({"aud": [STS], "azp": ""}, REFUSED),
    "false": ({"aud": [STS], "azp": False}, REFUSED),
}


@pytest.mark.parametrize("claims, expected", CLAIMS.values(), ids=CLAIMS)
def test_who_may_use_a_token(aws: World, claims: dict[str, Any], expected: tuple[str, int]) -> None:
    """Where there is an authorized party it counts, as AWS has it, and not the audience."""
    assert expected == answer_of(aws.assume, aws.issuer.token(**claims))
