"""Attack: a token of another cluster's issuer, with the same names and the same kid."""

from tests.sts.world import FOREIGN_KEY, World, answer_of, jwk, world

REFUSED = ("InvalidIdentityToken", 400)


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
