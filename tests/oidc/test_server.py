"""What the documents' port answers, request by request, over a real socket."""

import json
import re
from collections.abc import AsyncIterator
from email.utils import formatdate

import msgspec
import pytest
from aiohttp import ClientSession

from irsa.runtime.listener import listen
from oidc import jwks
from oidc.publisher import Publisher
from oidc.server import Limits, application
from oidc.sources import Observation
from tests.oidc.keys import jwk
from tests.oidc.process import Client

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/openid/v1/jwks"
NOW = 1_800_000_000.5


class Fixed:
    """A source that always says the same."""

    place = "a fixed value"

    async def observe(self) -> Observation:
        keys, _ = jwks.parse(msgspec.json.encode({"keys": [jwk("a")]}), self.place)
        return Observation("https://oidc.example.com", keys)


@pytest.fixture
async def answers() -> AsyncIterator[Client]:
    publisher = Publisher(Fixed(), clock=lambda: NOW)
    await publisher.poll()
    runner, port = await listen(application({"": publisher}, Limits(), tls=False), port=0, host="127.0.0.1")
    async with ClientSession() as session:
        yield Client(session, port, "http")
    await runner.cleanup()


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("POST", JWKS, 405),
        ("PUT", DISCOVERY, 405),
        ("DELETE", JWKS, 405),
        ("OPTIONS", DISCOVERY, 405),
        ("TRACE", JWKS, 405),
        ("GET", "/", 404),
        ("GET", "/openid/v1/", 404),
        ("GET", "/openid/v1/jwks/", 404),
        ("GET", "//openid/v1/jwks", 404),
        ("GET", "/metrics", 404),
        ("GET", "/livez", 404),
        ("GET", "/.well-known/", 404),
        ("POST", "/", 404),
    ],
)
async def test_nothing_else_is_reachable(method: str, path: str, status: int, answers: Client) -> None:
    """Other methods get 405 with Allow, other paths 404; no redirect, no list; nosniff, and nothing for a cache."""
    answer, _ = await answers.get(path, method)
    assert status == answer.status
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    assert "no-store" == answer.headers["Cache-Control"]
    assert status != 405 or {"GET", "HEAD"} == set(re.split(r",\s*", answer.headers["Allow"]))


async def test_the_host_header_is_not_identity(answers: Client) -> None:
    """Whatever host is asked for, the issuer is the source's."""
    _, body = await answers.get(DISCOVERY, Host="evil.example.com", X_Forwarded_Host="evil.example.com")
    assert "https://oidc.example.com" == json.loads(body)["issuer"]
    assert b"evil" not in body


async def test_no_promise_of_tls_where_it_is_not_ours(answers: Client) -> None:
    """Behind an ingress HSTS is the ingress's word, not ours."""
    answer, _ = await answers.get(JWKS)
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(
    "header, value, status",
    [
        pytest.param("If-None-Match", "ETAG", 304, id="the same"),
        pytest.param("If-None-Match", "W/ETAG", 304, id="weakened by a proxy"),
        pytest.param("If-None-Match", '"x", ETAG', 304, id="one of several"),
        pytest.param("If-None-Match", "*", 304, id="any"),
        pytest.param("If-None-Match", '"x"', 200, id="another"),
        pytest.param("If-None-Match", "", 200, id="empty"),
        pytest.param("If-Modified-Since", formatdate(NOW, usegmt=True), 304, id="since then"),
        pytest.param("If-Modified-Since", formatdate(NOW + 99, usegmt=True), 304, id="since later"),
        pytest.param("If-Modified-Since", formatdate(NOW - 1, usegmt=True), 200, id="since before"),
        pytest.param("If-Modified-Since", "yesterday", 200, id="no date"),
        pytest.param("If-Modified-Since", "Fri, 31 Dec 99999 00:00:00 GMT", 200, id="no possible date"),
    ],
)
async def test_conditional_requests(header: str, value: str, status: int, answers: Client) -> None:
    """As RFC 9110 section 13 has it."""
    first, body = await answers.get(JWKS)
    answer, again = await answers.get(JWKS, **{header: value.replace("ETAG", first.headers["ETag"])})
    assert (status, body if status == 200 else b"") == (answer.status, again)
    assert first.headers["ETag"] == answer.headers["ETag"]


async def test_the_etag_decides_where_both_conditions_are_given(answers: Client) -> None:
    """RFC 9110 section 13.1.3: If-Modified-Since is ignored beside If-None-Match."""
    answer, _ = await answers.get(JWKS, If_None_Match='"x"', If_Modified_Since=formatdate(NOW, usegmt=True))
    assert 200 == answer.status
