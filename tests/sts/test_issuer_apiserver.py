"""The API server itself as an issuer, as a provider's `Local` block has it: DiscoveryURL, CABundle, TokenFile."""

from pathlib import Path

from sts.accounts import Local, Provider
from sts.issuers import Issuers
from tests.cluster.fixtures import FreshApiServer


async def test_the_api_servers_own_documents_are_fetched_with_a_token(
    fresh_apiserver: FreshApiServer, tmp_path: Path
) -> None:
    """They are not for the anonymous, and its key set is refused to those who take plain JSON alone."""
    with fresh_apiserver({"external-hostname": "localhost"}) as server:
        (tmp_path / "ca.crt").write_bytes(server.ca)
        (tmp_path / "token").write_text(server.token("default", "default", server.issuer))
        local = Local(
            ca_bundle=str(tmp_path / "ca.crt"),
            token_file=str(tmp_path / "token"),
            discovery_url=f"{server.url}/.well-known/openid-configuration",
        )
        provider = Provider(arn="", url=server.issuer, client_ids=frozenset({"sts.amazonaws.com"}), local=local)
        assert 1 == len(await Issuers().keys(provider, ""))
