# ruff: noqa: E501 -- a case of a table is a line
"""A valid request with one byte changed, anywhere that matters, is refused: signed requests and identity tokens."""

import dataclasses
import string

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as some

from sts import jwks, token
from sts.refusals import Refused
from sts.sigv4 import HttpRequest
from tests.sts.world import RSA_KEY, USER_KEY, Issuer, World, decided, signed_at, signed_request

OK = "arn:aws:iam::111122223333:user/dev/david"
VISIBLE = string.ascii_letters + string.digits + "!$&'()*+,-./:;=@_~%"
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)

REQUESTS = {
    "sts by header": {},
    "sts by query": {"method": "GET", "target": "/?Action=GetCallerIdentity&Version=2011-06-15", "body": b"", "presigned": 300},
    "s3 by header": {"method": "PUT", "target": "/bucket/a%20key?acl&x=1", "body": b"content", "service": "s3"},
    "s3 by query": {"method": "GET", "target": "/bucket/key?versionId=1", "body": b"", "service": "s3", "presigned": 300},
}  # fmt: skip


def changed(request: HttpRequest, part: int, place: int, character: str) -> HttpRequest:
    """The request with one character of one part replaced; parts are method, target, body, and each header's value."""
    values = [request.method, request.target, request.body.decode(), *(value for _, value in request.headers)]
    text = values[part % len(values)]
    assume(text)
    at = place % len(text)
    assume(text[at] != character)
    values[part % len(values)] = text[:at] + character + text[at + 1 :]
    headers = [(name, value) for (name, _), value in zip(request.headers, values[3:], strict=True)]
    return dataclasses.replace(request, method=values[0], target=values[1], body=values[2].encode(), headers=headers)


def harmless(before: HttpRequest, after: HttpRequest) -> bool:
    """What a signature does not tell apart by its definition: a header that it does not cover, the separators' blanks."""
    signed = before.header("authorization") + before.query
    unsigned = [name for name, _ in before.headers if name not in signed.lower() and name != "authorization"]
    differing = [name for (name, old), (_, new) in zip(before.headers, after.headers, strict=True) if old != new]
    return bool(differing) and set(differing) <= set(unsigned)


@pytest.mark.parametrize("shape", REQUESTS.values(), ids=REQUESTS)
@SHARED
@given(part=some.integers(0, 20), place=some.integers(0, 2000), character=some.sampled_from(VISIBLE))
def test_a_signed_request(aws: World, shape: dict[str, object], part: int, place: int, character: str) -> None:
    """Method, target, body, every signed header, the signature itself."""
    request = signed_request(USER_KEY, **shape)  # type: ignore[arg-type]
    service = str(shape.get("service", "sts"))
    assert OK == decided(aws, request, service=service)
    after = changed(request, part, place, character)
    assume(not harmless(request, after))
    try:
        signed_at(after)
    except (ValueError, KeyError):
        after = dataclasses.replace(after)  # a broken date is refused before the clock is asked
        assume(False)
    assert OK != decided(aws, after, service=service)


ISSUER = Issuer("https://issuer.example")
TOKEN = ISSUER.token()
KEYS = (jwks.Key(RSA_KEY.public_key(), "RSA"),)


@settings(max_examples=300)
@given(
    place=some.integers(0, len(TOKEN) - 1), character=some.sampled_from(string.ascii_letters + string.digits + "-_.")
)
def test_an_identity_token(place: int, character: str) -> None:
    """Header, payload and signature, the padding bits of base64 among them."""
    assume(TOKEN[place] != character)
    with pytest.raises(Refused):
        token.verify(
            token.parse(TOKEN[:place] + character + TOKEN[place + 1 :]), KEYS, frozenset({"sts.amazonaws.com"}), 0
        )
