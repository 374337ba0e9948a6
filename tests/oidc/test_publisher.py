"""What a publisher takes over from a source that changes, and what it holds back."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import trustme

from oidc.errors import SourceError
from oidc.gauges import REFUSED
from oidc.jwk import from_members
from oidc.publisher import Publisher
from oidc.sources import Observation
from oidc.sources.apiserver import APIServer, Endpoint
from tests.oidc.keys import jwk, private_jwk
from tests.oidc.upstream import running


def published(publisher: Publisher) -> list[str]:
    assert publisher.published is not None
    return [key["kid"] for key in json.loads(publisher.published.jwks.body)["keys"]]


def said(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [{"message": record.getMessage(), **getattr(record, "fields", {})} for record in caplog.records]


@pytest.mark.parametrize(
    "gate, change",
    [
        pytest.param("empty", {"keys": []}, id="empty"),
        pytest.param("issuer", {"issuer": "https://other.example.com"}, id="issuer"),
        pytest.param("disjoint", {"keys": [jwk("z")]}, id="disjoint"),
        pytest.param("private", {"keys": [jwk("a"), private_jwk("b")]}, id="private"),
        pytest.param("private", {"keys": [jwk("a"), private_jwk("b", "RS256")]}, id="private RSA"),
        pytest.param("private", {"keys": [jwk("a"), {"kty": "oct", "kid": "b", "k": "c2VjcmV0"}]}, id="symmetric"),
        pytest.param("limit", {"keys": [jwk("a"), *(jwk("b", kid=f"k{n}") for n in range(100))]}, id="limit"),
        pytest.param("conflict", {"keys": [jwk("a"), jwk("b", kid="a")]}, id="conflict"),
        pytest.param(None, {"raw": b"<html>"}, id="html"),
        pytest.param(None, {"raw": b" " * (1 << 20) + b"{}"}, id="too large"),
        pytest.param(None, {"raw": b'{"keys":' + b"[" * 100_000}, id="deep"),
        pytest.param(None, {"issuer": "http://oidc.example.com"}, id="issuer without https"),
        pytest.param(None, {"status": 302}, id="redirect"),
        pytest.param(None, {"status": 500}, id="failure"),
    ],
)
async def test_what_must_not_be_published_is_held_back(
    gate: str | None, change: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The last good documents stay, the log says why once, and when it is over; a metric counts the gate."""
    async with running(trustme.CA(), tmp_path) as upstream:
        publisher = Publisher(APIServer(Endpoint(upstream.url, ca=tmp_path / "upstream.pem")), cluster=f"{gate}")
        upstream.keys = [jwk("a")]
        assert await publisher.poll()
        before, good = publisher.published, {name: getattr(upstream, name) for name in change}
        for name, value in change.items():
            setattr(upstream, name, value)
        counter = REFUSED.labels(f"{gate}", f"{gate}")
        count = counter._value.get()
        caplog.set_level(logging.INFO)
        assert not await publisher.poll()
        assert not await publisher.poll()
        assert before == publisher.published
        (line,) = [line for line in said(caplog) if line["message"] == "not published; the last good documents stay"]
        assert line["reason"]
        assert count + (2 if gate else 0) == counter._value.get()
        for name, value in good.items():
            setattr(upstream, name, value)
        assert await publisher.poll()
        assert await publisher.poll()
        assert 1 == sum(line["message"] == "the source confirms the documents again" for line in said(caplog))


@pytest.mark.parametrize(
    "unsuitable, reason",
    [
        pytest.param(jwk("b", "RS256", alg="PS256"), "algorithm 'PS256'", id="PS256"),
        pytest.param({"kty": "AKP", "alg": "ML-DSA-44", "kid": "b", "pub": "AAAA"}, "key type 'AKP'", id="ML-DSA"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "kid": "b", "x": "AAAA"}, "key type 'OKP'", id="Ed25519"),
        pytest.param(jwk("b", crv="secp256k1"), "curve 'secp256k1'", id="secp256k1"),
        pytest.param(jwk("b", x=jwk("a")["x"]), "not on P-256", id="point beside the curve"),
        pytest.param(jwk("b", alg="ES384"), "signs ES256", id="algorithm of another curve"),
        pytest.param(jwk("b", use="enc"), "not for signatures", id="for encryption"),
        pytest.param(jwk("b", "RS256", n="AQAB"), "17 bits", id="short modulus"),
        pytest.param(jwk("b", "RS256", e="AQ"), "exponent 1", id="exponent 1"),
        pytest.param(jwk("b", "RS256", e="gAAAAQ"), "exponent 2147483649", id="an exponent that Go refuses"),
        pytest.param(jwk("b", x="!"), "no base64url", id="no base64url"),
        pytest.param(jwk("b", kid=""), "0 characters", id="no kid"),
        pytest.param(jwk("b", kid=7), "'kid' is no string", id="kid a number"),
    ],
)
async def test_a_key_that_sts_would_not_take_is_left_out(
    unsuitable: dict[str, object], reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are published, and a line says which key and why."""
    caplog.set_level(logging.INFO)
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys = [jwk("a"), unsuitable]
        publisher = Publisher(APIServer(Endpoint(upstream.url, ca=tmp_path / "upstream.pem")))
        assert await publisher.poll()
        assert ["a"] == published(publisher)
        (line,) = [line for line in said(caplog) if line["message"] == "key left out"]
        assert reason in line["reason"]


async def test_another_certificate_authority_is_not_believed(tmp_path: Path) -> None:
    """Who cannot show a certificate of the given CA could be anybody, and this is the trust root."""
    async with running(trustme.CA(), tmp_path) as upstream:
        (tmp_path / "other.pem").write_bytes(trustme.CA().cert_pem.bytes())
        with pytest.raises(SourceError, match="certificate verify failed"):
            await APIServer(Endpoint(upstream.url, ca=tmp_path / "other.pem")).observe()


async def test_an_expected_issuer_is_demanded_from_the_first_poll(tmp_path: Path) -> None:
    """With --issuer a source that says another is refused at once."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        source = APIServer(Endpoint(upstream.url, ca=tmp_path / "upstream.pem"))
        publisher = Publisher(source, issuer="https://other.example.com")
        assert not await publisher.poll()
        assert publisher.published is None


async def test_a_set_that_grows_towards_the_limit_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """From 80 of 100 keys of a type on, while there is still time."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys = [jwk("a", kid=f"k{number}") for number in range(79)]
        publisher = Publisher(APIServer(Endpoint(upstream.url, ca=tmp_path / "upstream.pem")))
        assert await publisher.poll()
        assert "many keys" not in [line["message"] for line in said(caplog)]
        upstream.keys.append(jwk("a", kid="k79"))
        assert await publisher.poll()
        (line,) = [line for line in said(caplog) if line["message"] == "many keys"]
        assert ("EC", 80, 100) == (line["kty"], line["count"], line["limit"])


class Faulty:
    """A source with a bug of ours in it, that shows at the second look."""

    place = "faulty"

    def __init__(self) -> None:
        self.looks = 0

    async def observe(self) -> Observation:
        self.looks += 1
        if self.looks == 2:
            raise ZeroDivisionError
        return Observation("https://oidc.example.com", (from_members(jwk("a")),))


async def test_a_bug_in_a_source_does_not_end_the_serving(caplog: pytest.LogCaptureFixture) -> None:
    """It is in the log with its trace; the documents stay, and the next look counts again."""
    publisher = Publisher(Faulty())
    assert [True, False, True] == [await publisher.poll() for _ in range(3)]
    assert ["a"] == published(publisher)
    assert 1 == sum("bug" in record.getMessage() for record in caplog.records)
