# ruff: noqa: E501 -- a case of a table is a line
"""Our reading of SigV4 against botocore's signer: whatever it signs verifies, and both canonicalise alike."""

import string
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as some

from sts import sigv4
from tests.sts.world import USER_KEY, signed_at, signed_request

SEGMENT = some.text(string.ascii_letters + string.digits + "-_.~%", max_size=6).map(
    lambda text: text.replace("%", "%2F")
)
PATH = some.lists(SEGMENT | some.sampled_from([".", "..", ""]), max_size=5).map(lambda parts: "/" + "/".join(parts))
PAIR = some.tuples(SEGMENT, SEGMENT).map("=".join)
QUERY = some.lists(PAIR | SEGMENT, max_size=4).map("&".join).filter(lambda query: "X-Amz" not in query)
VALUE = some.text(string.ascii_letters + " \t,;=", min_size=1, max_size=12).map(str.strip).filter(bool)


@settings(max_examples=150)
@given(
    service=some.sampled_from(["sts", "s3"]), method=some.sampled_from(["GET", "PUT", "DELETE"]), path=PATH, query=QUERY,
    body=some.binary(max_size=20), extra=VALUE, presigned=some.sampled_from([0, 60]),
)  # fmt: skip
def test_what_botocore_signs_verifies(  # noqa: PLR0917 -- hypothesis
    service: str, method: str, path: str, query: str, body: bytes, extra: str, presigned: int
) -> None:
    """Any path, query, header and body, by header and presigned."""
    request = signed_request(
        USER_KEY, method=method, target=path + (f"?{query}" if query else ""), body=b"" if presigned else body, service=service,
        headers={"X-Amz-Meta-Extra": extra}, presigned=presigned,
    )  # fmt: skip
    signature = sigv4.parse(request)
    assert signature is not None
    sigv4.verify(request, signature, service=service, secret=USER_KEY[1], now=signed_at(request))


@given(path=PATH, query=QUERY)
def test_canonical_requests_are_botocores(path: str, query: str) -> None:
    """Text for text, for S3's way with paths and the others'."""
    for service, signer in (("s3", S3SigV4Auth), ("sts", SigV4Auth)):
        target = path + (f"?{query}" if query else "")
        request = AWSRequest(
            "GET", f"https://host.test{target}", headers={"Host": "host.test", "X-Amz-Content-SHA256": "x"}
        )
        theirs = signer(Credentials("a", "b"), service, "us-east-1").canonical_request(request)
        ours = sigv4.HttpRequest("GET", target, [("host", "host.test"), ("x-amz-content-sha256", "x")])
        signature = sigv4.Signature("a", "d", "r", service, ("host", "x-amz-content-sha256"), "s", "t", "")
        assert theirs == sigv4.canonical_request(ours, signature, "x")


HEADER = (
    "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=abc"
)
BROKEN: dict[str, tuple[str, str]] = {
    "another algorithm": (HEADER.replace("SHA256", "SHA1"), "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'."),
    "no credential": (HEADER.replace("Credential=", "X="), "Authorization header requires 'Credential' parameter."),
    "no signature": (HEADER.replace("Signature=", "X="), "Authorization header requires 'Signature' parameter."),
    "no signed headers": (
        HEADER.replace("SignedHeaders=", "X="),
        "Authorization header requires 'SignedHeaders' parameter.",
    ),
    "a scope too short": (HEADER.replace("/us-east-1", ""), "Credential must have exactly 5 slash-delimited elements"),
    "a part twice": (HEADER + ", Signature=abc", "Authorization header is malformed."),
    "no part": (HEADER + ", x", "Authorization header is malformed."),
    "basic": ("Basic dXNlcjpwYXNz", "Unsupported AWS 'algorithm': 'Basic'."),
}


@pytest.mark.parametrize("header, message", BROKEN.values(), ids=BROKEN)
def test_broken_authorization(header: str, message: str) -> None:
    """IncompleteSignature names what is missing."""
    from sts.refusals import Refused

    request = sigv4.HttpRequest(
        "POST", "/", [("host", "h"), ("x-amz-date", "20260101T000000Z"), ("authorization", header)]
    )
    with pytest.raises(Refused) as caught:
        sigv4.parse(request)
    assert ("IncompleteSignature", 400) == (caught.value.code, caught.value.status)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("left_out", ["Credential", "Signature", "SignedHeaders", "Date", "Expires"])
def test_a_presigned_request_needs_every_part(left_out: str) -> None:
    """Named by its parameter."""
    from sts.refusals import Refused

    request: Any = signed_request(USER_KEY, method="GET", target="/?a=b", body=b"", presigned=60)
    target = "/?" + "&".join(pair for pair in request.query.split("&") if not pair.startswith(f"X-Amz-{left_out}="))
    with pytest.raises(Refused) as caught:
        sigv4.parse(sigv4.HttpRequest("GET", target, request.headers))
    assert f"AWS query-string parameters must include 'X-Amz-{left_out}'." == caught.value.message
