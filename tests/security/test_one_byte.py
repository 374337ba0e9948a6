# ruff: noqa: E501 -- a case of a table is a line
"""A valid request with one byte changed, anywhere that matters, is refused: signed requests and identity tokens."""

import string

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as some

from sts import jwks, token
from sts.credentials import Session
from sts.refusals import Refused
from sts.sigv4 import HttpRequest
from tests.sts.world import RSA_KEY, SUBJECT, USER_KEY, Issuer, World, decided, signed_at, signed_request

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
    return msgspec.structs.replace(
        request, method=values[0], target=values[1], body=values[2].encode(), headers=headers
    )


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
    assert OK != decided(aws, after, service=service, now=signed_at(request))


@SHARED
@given(part=some.integers(0, 20), place=some.integers(0, 2000), character=some.sampled_from(VISIBLE))
def test_a_request_of_a_session(aws: World, part: int, place: int, character: str) -> None:
    """The same with a session's key: its token is under the signature, and sealed as well."""
    key, arn = session_of(aws)
    request = signed_request(key)
    assert arn == decided(aws, request)
    after = changed(request, part, place, character)
    assume(not harmless(request, after))
    assert arn != decided(aws, after, now=signed_at(request))


def session_of(here: World) -> tuple[tuple[str, str, str], str]:
    """A session sealed now, without the many calls that it would take to ask for one at each example."""
    role = here.state.now().accounts.roles["arn:aws:iam::111122223333:role/s3-reader"]
    session = Session(
        "ASIAIOSFODNN7EXAMPLE", "made-up-secret", role.account, role.arn, role.unique_id, "name", 0, 2**40
    )
    token = here.state.now().sealing.seal(session, lambda count: b"n" * count)
    return (session.access_key_id, session.secret, token), role.session_arn("name")


NOW = 1_800_000_000
TOKEN = Issuer("https://issuer.example").token(exp=NOW + 60, iat=NOW, nbf=NOW)
KEYS = (jwks.Key(RSA_KEY.public_key(), "RSA"),)


def subject(text: str) -> str:
    """Whom a token is for."""
    return token.verify(token.parse(text), KEYS, frozenset({"sts.amazonaws.com"}), NOW).subject


@settings(max_examples=300)
@given(
    place=some.integers(0, len(TOKEN) - 1), character=some.sampled_from(string.ascii_letters + string.digits + "-_.")
)
def test_an_identity_token(place: int, character: str) -> None:
    """Header, payload and signature, the padding bits of base64 among them."""
    assert SUBJECT == subject(TOKEN)
    assume(TOKEN[place] != character)
    with pytest.raises(Refused):
        subject(TOKEN[:place] + character + TOKEN[place + 1 :])
