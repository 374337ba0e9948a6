"""Attack, or mishap: a source, a file or the ledger hands us a private key; no byte of it is published or logged."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidc import discovery, jwks, record
from oidc.errors import OIDCError, RefusedError
from oidc.jwk import PRIVATE_MEMBERS, from_members
from oidc.lifecycle import Ledger, Timing, observe
from oidc.publisher import Publisher
from oidc.sources import Observation
from tests.oidc.keys import jwk, private_jwk

PUBLIC = frozenset({"alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"})
ISSUER = "https://oidc.example.com"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512"])
@pytest.mark.parametrize("member", sorted(PRIVATE_MEMBERS))
def test_one_private_member_condemns_the_set(algorithm: str, member: str) -> None:
    """Whichever it is, whatever its value, and however good the other keys are."""
    for value in ("AAAA", "", None, 7, ["x"]):
        body = json.dumps({"keys": [jwk("good"), jwk("bad", algorithm, **{member: value})]}).encode()
        with pytest.raises(RefusedError) as refusal:
            jwks.parse(body, "here")
        assert "private" == refusal.value.gate


VALUES = st.one_of(st.text(max_size=20), st.integers(), st.none(), st.lists(st.text(max_size=3), max_size=2))
ENTRIES = st.dictionaries(st.sampled_from(sorted(PUBLIC | PRIVATE_MEMBERS | {"x5c", "key_ops"})), VALUES, max_size=9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(ENTRIES, st.sampled_from([jwk("a"), jwk("b", "RS256"), private_jwk("c")])), max_size=6))
def test_only_public_members_ever_come_out(entries: list[dict[str, Any]]) -> None:
    """Whatever goes in: what is rendered has the nine public members, or nothing is."""
    try:
        keys, _ = jwks.parse(json.dumps({"keys": entries}).encode(), "here")
    except OIDCError:
        return
    rendered = json.loads(jwks.render(keys))
    assert all(entry.keys() <= PUBLIC for entry in rendered["keys"])
    assert keys == jwks.parse(jwks.render(keys), "here")[0]


async def test_neither_documents_nor_log_show_it(caplog: pytest.LogCaptureFixture) -> None:
    """The line that tells of it has the kid and the member's name."""
    secrets = private_jwk("leaked", "RS256")

    class Leaking:
        """A source that leaks at the second look."""

        place = "here"

        def __init__(self) -> None:
            self.entries: list[dict[str, Any]] = [jwk("good")]

        async def observe(self) -> Observation:
            return Observation(ISSUER, *jwks.parse(json.dumps({"keys": self.entries}).encode(), self.place))

    caplog.set_level(logging.DEBUG)
    source = Leaking()
    publisher = Publisher(source)
    assert await publisher.poll()
    source.entries = [jwk("good"), secrets]
    assert not await publisher.poll()
    told = " ".join(str(vars(entry)) for entry in caplog.records)
    assert "leaked" in told
    assert publisher.published is not None
    for member in ("d", "p", "q", "dp", "dq", "qi"):
        assert secrets[member] not in told
        assert secrets[member].encode() not in publisher.published.jwks.body + publisher.published.discovery.body


def test_the_ledger_is_searched_too(tmp_path: Path) -> None:
    """Whoever can write the ConfigMap can write anything into it."""
    ledger = observe(Ledger(ISSUER), (from_members(jwk("a")),), 1000, Timing())
    written = json.loads(record.encode(record.Record({ISSUER: ledger})))
    for member in sorted(PRIVATE_MEMBERS):
        written["issuers"][ISSUER]["entries"]["a"]["key"] = jwk("a", **{member: "AAAA"})
        with pytest.raises(RefusedError):
            record.decode(json.dumps(written).encode(), "here")


@pytest.mark.parametrize(
    "issuer",
    [
        "http://oidc.example.com", "https://", "https://?x", "https://oidc.example.com?x=1", "https://oidc.example.com#f",
        "https://user:password@oidc.example.com", "https://oidc.example.com/\n", "javascript:alert(1)", "", "x" * 2000,
        "https://oidc.example.com/" + "a" * 1024,
    ],
)  # fmt: skip
def test_an_issuer_that_is_none_is_not_taken_over(issuer: str) -> None:
    """What is published as an issuer is what relying parties trust."""
    with pytest.raises(OIDCError):
        discovery.parse(json.dumps({"issuer": issuer, "jwks_uri": "x"}).encode(), "here")
