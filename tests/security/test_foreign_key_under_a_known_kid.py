# ruff: noqa: E501 -- a case of a table is a line
"""Attack: a token signed by another key, under the kid of a known one."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sts.world import FOREIGN_KEY, World, answer_of

FOREIGN_EC = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "key, kid, algorithm",
    [(FOREIGN_KEY, "rsa", "RS256"), (FOREIGN_EC, "ec", "ES256"), (FOREIGN_EC, "rsa", "ES256"), (FOREIGN_KEY, "ec", "RS256")],
    ids=["rsa as rsa", "ec as ec", "ec as rsa", "rsa as ec"],
)  # fmt: skip
def test_a_known_kid_does_not_help(aws: World, key: object, kid: str, algorithm: str) -> None:
    """The kid only says which key to try."""
    token = aws.issuer.token(key=key, kid=kid, algorithm=algorithm)
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, token)
