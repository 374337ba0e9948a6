# ruff: noqa: E501 -- a case of a table is a line
"""Attack: a provider that makes the STS fetch something from behind its own walls."""

import asyncio
from typing import Any

import pytest

from sts import loading
from sts.accounts import Provider
from sts.issuers import Issuers
from sts.refusals import Refused


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1", "https://169.254.169.254", "https://10.0.0.1/id", "https://[::1]", "https://[fd00:ec2::254]", "https://[::ffff:10.0.0.1]", "https://[64:ff9b::a9fe:a9fe]", "https://[2002:7f00:1::]", "https://[::127.0.0.1]", "https://224.0.0.1",
     "http://issuer.example",
     "https://issuer.example:8443", "https://issuer.example/?a=b", "https://issuer.example/#a", "https://user@issuer.example", "https://", "file:///etc/passwd", "https://a:b"],
)  # fmt: skip
def test_what_aws_could_not_reach_is_no_provider(url: str) -> None:
    """Unless the operator says, by a Local block, that it is meant."""
    assert loading.issuer_problem(url, local=False)


@pytest.mark.parametrize("url", ["https://127.0.0.1:8443", "http://issuer.test:1", "https://10.0.0.1/id"])
def test_a_local_block_allows_it(url: str) -> None:
    """Not an attack: that is what a local STS is for."""
    assert not loading.issuer_problem(url, local=True)


def test_a_name_that_leads_inside() -> None:
    """The address behind the name counts, at the moment of the fetch."""
    provider = Provider("arn", "https://localhost", frozenset())

    async def keys() -> Any:
        return await Issuers().keys(provider, "kid")

    with pytest.raises(Refused) as caught:
        asyncio.run(keys())
    assert "InvalidIdentityToken" == caught.value.code
    assert "localhost is the private address" in caught.value.reason
