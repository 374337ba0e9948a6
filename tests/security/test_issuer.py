# ruff: noqa: E501 -- a case of a table is a line
"""Attack: a token of an issuer that is nearly the registered one, or of another cluster."""

import pytest

from tests.sts.world import FOREIGN_KEY, World, answer_of, jwk, world

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


def test_another_clusters_token(aws: World) -> None:
    """Same names, same kid, a real issuer with keys of its own, that this account never registered."""
    with world() as other:
        other.issuer.keys = [jwk(FOREIGN_KEY, "rsa")]
        token = other.issuer.token(key=FOREIGN_KEY)
    assert REFUSED == answer_of(aws.assume, token)


def test_a_registered_issuers_key_signs_only_for_itself(aws: World) -> None:
    """Two issuers in one account: a token that names the one and is signed by the other is refused."""
    with world() as other:
        other.issuer.keys = [jwk(FOREIGN_KEY, "rsa")]
        account = aws.accounts["Accounts"][0]
        account["OpenIDConnectProviders"].append(
            {"Url": other.issuer.url, "ClientIDList": ["sts.amazonaws.com"], "Local": {}}
        )
        aws.use(aws.accounts)
        # The other's token is valid there, but the role does not trust it; with our name on it, it does not verify.
        assert ("AccessDenied", 403) == answer_of(aws.assume, other.issuer.token(key=FOREIGN_KEY))
        assert REFUSED == answer_of(aws.assume, other.issuer.token(key=FOREIGN_KEY, iss=aws.issuer.url))
