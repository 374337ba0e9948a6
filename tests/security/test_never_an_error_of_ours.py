"""Attack: anything at all. Whatever comes, the answer is a refusal, and never an error of our own."""

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from irsa.runtime.exchange import Deadlines
from tests.security.tokens import claims_in
from tests.security.wire import sent, status, written
from tests.sts.world import ACCOUNT, RSA_KEY, USER_KEY, World, compact_jwt, signed_request

SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8)
    | some.sampled_from(["\ud800", "sts.amazonaws.com", "*", "${aws:username}", "1" * 400, 10**400]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
CLAIMS = some.sampled_from([
    "iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "amr", "email", "kubernetes.io",
    "https://aws.amazon.com/tags", "https://aws.amazon.com/source_identity", "https://aws.amazon.com/roles",
    "https://aws.amazon.com/tags/principal_tags/team", "https://aws.amazon.com/tags/transitive_tag_keys",
])  # fmt: skip
NO_HTTP = b"\r\n\r\n\0\r\n\r\n"  # ends a connection that a changed byte would have kept open
PARAMETERS = some.sampled_from([
    "RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "PolicyArns.member.1.arn", "Tags.member.1.Key",
    "Tags.member.1.Value", "Tags.member.01.Key", "TransitiveTagKeys.member.1", "ExternalId", "SourceIdentity",
    "SerialNumber", "TokenCode", "ProvidedContexts.member.1.ProviderArn", "AccessKeyId", "ProviderId", "Version",
])  # fmt: skip


def call(here: World, **given_: Any) -> bytes:
    """An unsigned AssumeRoleWithWebIdentity on the wire."""
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "session",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/s3-reader", **given_}  # fmt: skip
    body = urlencode(form).encode()
    return (
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )


@SHARED
@given(some.dictionaries(CLAIMS, VALUES, max_size=4))
def test_any_claims_under_a_good_signature(aws: World, claims: dict[str, Any]) -> None:
    """As an issuer that went mad might sign them."""
    payload = json.dumps(claims_in(aws.issuer.token()) | claims).encode()
    token = compact_jwt(b'{"alg":"RS256","kid":"rsa"}', payload, RSA_KEY)
    assert 500 != status(sent(aws, call(aws, WebIdentityToken=token)))


@SHARED
@given(some.dictionaries(some.sampled_from(["alg", "kid", "typ", "crit", "jwk"]), VALUES, max_size=3))
def test_any_header_of_a_token(aws: World, header: dict[str, Any]) -> None:
    """Anybody may write one."""
    payload = json.dumps(claims_in(aws.issuer.token())).encode()
    token = compact_jwt(json.dumps({"alg": "RS256", "kid": "rsa"} | header).encode(), payload, RSA_KEY)
    assert 500 != status(sent(aws, call(aws, WebIdentityToken=token)))


@SHARED
@given(
    some.sampled_from(["AssumeRole", "GetSessionToken", "GetAccessKeyInfo", "GetCallerIdentity"]),
    some.dictionaries(PARAMETERS, some.text(some.characters(exclude_categories=["Cs"]), max_size=30), max_size=5),
)
def test_any_parameters_of_a_signed_call(aws: World, action: str, parameters: dict[str, str]) -> None:
    """By a user who has a key."""
    form = {"Action": action, "Version": "2011-06-15", "RoleSessionName": "session",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/s3-reader", **parameters}  # fmt: skip
    request = signed_request(USER_KEY, body=urlencode(form).encode())
    assert 500 != status(sent(aws, written(request)))


@SHARED
@given(member=some.sampled_from(["Version", "Statement", "Id", "Sid", "Effect", "Action", "Resource"]), value=VALUES)
@example(member="Effect", value=[])
def test_any_session_policy(aws: World, member: str, value: Any) -> None:
    """Anybody with a token may pass one."""
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy: dict[str, Any] = {"Version": "2012-10-17", "Statement": statement}
    (policy if member in {"Version", "Statement", "Id"} else statement)[member] = value
    passed = json.dumps(policy)
    assert 500 != status(sent(aws, call(aws, WebIdentityToken=aws.issuer.token(), Policy=passed)))


@SHARED
@given(changes=some.lists(some.tuples(some.integers(0, 900), some.integers(0, 255)), min_size=1, max_size=4))
def test_any_bytes(aws: World, changes: list[tuple[int, int]]) -> None:
    """A good request with some bytes changed, anywhere; it may also get no answer at all."""
    aws.listener.port.deadlines = Deadlines(head=0.05, body=0.05, linger=0.05)
    data = bytearray(written(signed_request(USER_KEY)))
    for place, value in changes:
        data[place % len(data)] = value
    answer = sent(aws, bytes(data) + NO_HTTP)
    assert not answer or status(answer) != 500
