# ruff: noqa: E501 -- a case of a table is a line
"""Attack: a token of an issuer that is nearly the registered one: a trailing slash, another scheme, capitals."""

import pytest

from tests.sts.world import World, answer_of

REFUSED = ("InvalidIdentityToken", 400)


@pytest.mark.parametrize(
    "change",
    [lambda url: url + "/", lambda url: url.upper(), lambda url: url.replace("http://", "https://"), lambda url: url + "#", lambda url: url + "?",
     lambda url: url.replace("127.0.0.1", "localhost"), lambda url: " " + url, lambda url: url.removeprefix("http://"), lambda _: ""],
    ids=["trailing slash", "capitals", "https", "fragment", "query", "another name", "blank", "no scheme", "empty"],
)  # fmt: skip
def test_an_issuer_is_compared_as_it_stands(aws: World, change: object) -> None:
    """Even with a good signature of the registered issuer's key."""
    assert callable(change)
    assert REFUSED == answer_of(aws.assume, aws.issuer.token(iss=change(aws.issuer.url)))
