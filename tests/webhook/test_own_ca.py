"""Whose STS is ours: AWS_CA_BUNDLE replaces every other root, so a wrong yes would cut pods off from the real AWS."""

import pytest

from webhook.certs import Names

NAMES = Names(serving={"irsa-sts-tls": ("irsa-sts.irsa-system.svc", "*.irsa-sts.irsa-system.svc")})


@pytest.mark.parametrize(
    "url, ours",
    [
        pytest.param("https://irsa-sts.irsa-system.svc", True, id="our Service"),
        pytest.param("https://irsa-sts.irsa-system.svc:443/", True, id="with a port"),
        pytest.param("https://vpce-1.sts.eu-central-1.vpce.amazonaws.com", False, id="AWS's, in a private network"),
        pytest.param("https://sts.example.com", False, id="somebody else's"),
        pytest.param("", False, id="none"),
    ],
)
def test_the_ca_is_given_for_servers_that_it_signs_for(url: str, ours: bool) -> None:
    assert ours is NAMES.sign_for(url)
