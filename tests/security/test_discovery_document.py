"""Attack: an issuer whose discovery document is not one that AWS takes."""

from typing import Any

import pytest

from tests.sts.world import World, answer_of

UNUSABLE, UNREACHABLE = ("InvalidIdentityToken", 400), ("IDPCommunicationError", 400)


DISCOVERY = {
    "another issuer": {"issuer": "https://other.example"},
    "no issuer": {"issuer": None},
    "no jwks_uri": {"jwks_uri": None},
    "a jwks_uri that is a file": {"jwks_uri": "file:///etc/passwd"},
    "a jwks_uri that is a number": {"jwks_uri": 1},
    "no response types": {"response_types_supported": None},
    "no subject types": {"subject_types_supported": None},
    "no algorithms": {"id_token_signing_alg_values_supported": None},
}


@pytest.mark.parametrize("change", DISCOVERY.values(), ids=DISCOVERY)
def test_a_discovery_document_that_aws_refuses(aws: World, change: dict[str, Any]) -> None:
    """Each member that AWS needs, and the issuer's own name."""
    aws.issuer.discovery = change
    assert UNUSABLE == answer_of(aws.assume, aws.issuer.token())
