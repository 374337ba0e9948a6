"""Attack: text that breaks the log, so that a decision has no line, a wrong one, or two."""

import json
import logging
from urllib.parse import urlencode

import pytest

from irsa.runtime.logs import Formatter
from sts.sigv4 import HttpRequest
from tests.security.tokens import claims_in
from tests.security.wire import sent
from tests.sts.world import RSA_KEY, World, answer_of, compact_jwt

TEXTS = {
    "half a surrogate pair": "\ud800",
    "a line break": 'x\n{"message": "allowed"}',
    "a return": "x\r",
    "a line separator": "x\u2028y",
    "a quote": 'x", "message": "allowed',
    "an escape sequence": "\x1b[2Jx",
    "nothing": "\0",
}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> object:
    """What the process would have written of each decision."""
    caplog.set_level(logging.INFO, logger="sts")
    return lambda: [Formatter().format(record) for record in caplog.records if record.name == "sts"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("claim", ["sub", "jti", "iss"])
def test_a_claim_is_one_field_of_one_line(aws: World, lines: object, claim: str, text: str) -> None:
    """Whether the token is good or not."""
    assert callable(lines)
    answer = answer_of(aws.assume, aws.issuer.token(**{claim: text}))
    (line,) = lines()
    assert ("allowed" if answer == ("ok", 200) else "refused") == json.loads(line)["message"]
    assert line.isprintable() or "\u2028" in line
    assert len(line.split("\n")) == len(line.split("\r")) == 1


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_so_is_a_header_of_a_token(aws: World, lines: object, text: str) -> None:
    """The kid, before anything was verified."""
    assert callable(lines)
    claims = json.dumps(claims_in(aws.issuer.token())).encode()
    token = compact_jwt(json.dumps({"alg": "RS256", "kid": text}).encode(), claims, RSA_KEY)
    assert ("InvalidIdentityToken", 400) == answer_of(aws.assume, token)
    (line,) = lines()
    assert "refused" == json.loads(line)["message"]


@pytest.mark.parametrize("text", [text for text in TEXTS.values() if text.isascii()])
def test_so_is_a_parameter(aws: World, lines: object, text: str) -> None:
    """Before its shape was checked."""
    assert callable(lines)
    assert "ok" != answer_of(aws.assume, RoleSessionName=text, RoleArn="arn:aws:iam::111122223333:role/" + text)[0]
    (line,) = lines()
    assert ["refused"] == [json.loads(each)["message"] for each in line.splitlines()]


@pytest.mark.parametrize("name", ["RoleSessionName", "RoleArn", "Action", "Version", "DurationSeconds", "Policy"])
def test_a_line_stays_short(aws: World, lines: object, name: str) -> None:
    """Whatever is as long as a body may be; nobody fills a disk with what he is refused for."""
    assert callable(lines)
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", name: "x" * 200_000}
    headers = [("host", "h"), ("content-type", "application/x-www-form-urlencoded")]
    assert 400 == aws.send(HttpRequest("POST", "/", headers, urlencode(form).encode()))[0]
    (line,) = lines()
    assert len(line) < 8192


def test_what_is_no_http_costs_one_line(aws: World, caplog: pytest.LogCaptureFixture) -> None:
    """And no trace, which anybody could have us write without end."""
    caplog.set_level(logging.INFO)
    assert sent(aws, b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    (record,) = [each for each in caplog.records if each.name == "sts.http"]
    line = json.loads(Formatter().format(record))
    assert {"level": "warning", "message": "malformed request", "source": "127.0.0.1"}.items() <= line.items()
    assert line["reason"]
    assert "exception" not in line
