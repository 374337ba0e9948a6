"""Attack: a token that was made for somebody else, with our audience hidden in a list or a likeness of it."""

from typing import Any

import pytest

from tests.sts.world import World, answer_of

REFUSED, OK = ("InvalidIdentityToken", 400), ("ok", 200)
STS = "sts.amazonaws.com"

AUDIENCES: dict[str, tuple[Any, tuple[str, int]]] = {
    "a text": (STS, OK),
    "a list of one": ([STS], OK),
    "another one": (["vault"], REFUSED),
    "two, ours first": ([STS, "vault"], REFUSED),
    "two, ours last": (["vault", STS], REFUSED),
    "ours twice": ([STS, STS], REFUSED),
    "an empty list": ([], REFUSED),
    "an empty text": ("", REFUSED),
    "a list in a list": ([[STS]], REFUSED),
    "an object": ({STS: STS}, REFUSED),
    "a number": (1, REFUSED),
    "capitals": ([STS.upper()], REFUSED),
    "a beginning": ([STS + ".evil.example"], REFUSED),
    "a wildcard": (["*"], REFUSED),
}


@pytest.mark.parametrize("audience, expected", AUDIENCES.values(), ids=AUDIENCES)
def test_who_a_token_is_for(aws: World, audience: object, expected: tuple[str, int]) -> None:
    """One audience, and it has to be a registered client."""
    assert expected == answer_of(aws.assume, aws.issuer.token(aud=audience))
