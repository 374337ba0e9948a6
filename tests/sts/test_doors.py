# ruff: noqa: S310 -- a case of a table is a line; loopback
"""The protocol by hand: POST and GET, signed by header and by query, and what is no call at all."""

import re
from urllib.parse import urlencode

import pytest

from sts.sigv4 import HttpRequest
from tests.sts.world import USER_KEY, World, signed_request

FORM = [("host", "sts.test"), ("content-type", "application/x-www-form-urlencoded")]
WHO = "/?Action=GetCallerIdentity&Version=2011-06-15"


@pytest.mark.parametrize(
    "request_",
    [
        signed_request(USER_KEY),
        signed_request(USER_KEY, method="GET", target=WHO, body=b""),
        signed_request(USER_KEY, method="GET", target=WHO, body=b"", presigned=3600),
        signed_request(USER_KEY, body=b"Action=GetCallerIdentity&Action=AssumeRole&Version=2011-06-15&Other=1"),
    ],
    ids=["POST", "GET", "presigned", "first counts"],
)
def test_a_signed_call(aws: World, request_: HttpRequest) -> None:
    """Each way in; a parameter counts as it came first, unknown ones are ignored."""
    status, body = aws.send(request_)
    assert 200 == status
    assert b"<Arn>arn:aws:iam::111122223333:user/dev/david</Arn>" in body


def code(body: bytes) -> str:
    return re.search(rb"<Code>(\w+)</Code>", body)[1].decode()  # type: ignore[index]


CALLS = {
    "no signature": (HttpRequest("GET", WHO, FORM), 403, "MissingAuthenticationToken"),
    "an action of ours, another version": (
        HttpRequest("GET", WHO.replace("06-15", "01-01"), FORM),
        400,
        "InvalidAction",
    ),
    "an unknown action": (HttpRequest("GET", "/?Action=Nope&Version=2011-06-15", FORM), 400, "InvalidAction"),
    "one that AWS has and we do not": (
        HttpRequest("GET", "/?Action=GetFederationToken&Version=2011-06-15", FORM),
        501,
        "NotImplemented",
    ),
    "no action": (HttpRequest("POST", "/", FORM, b"Version=2011-06-15"), 400, "MissingAction"),
    "no form": (
        HttpRequest("POST", "/", [("host", "h"), ("content-type", "text/plain")], b"Action=X"),
        400,
        "MissingAction",
    ),
    "a thousand and one parameters": (HttpRequest("POST", "/", FORM, b"a=b&" * 1001), 400, "MalformedQueryString"),
    "no UTF-8": (HttpRequest("POST", "/", FORM, b"Action=%ff"), 400, "MalformedQueryString"),
    "a body too large": (HttpRequest("POST", "/", FORM, b"a" * 300_000), 413, "RequestEntityTooLarge"),
    "a bucket, unsigned": (HttpRequest("GET", "/bucket", FORM), 501, "NotImplemented"),
}


@pytest.mark.parametrize("request_, status, expected", CALLS.values(), ids=CALLS)
def test_what_is_no_call(aws: World, request_: HttpRequest, status: int, expected: str) -> None:
    """AWS's code, in XML, and never a crash."""
    seen, body = aws.send(request_)
    assert (status, expected) == (seen, code(body))


def test_the_request_id_is_the_same_in_header_and_body(aws: World) -> None:
    """People quote it when they ask."""
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(aws.endpoint + WHO)
    assert f"<RequestId>{caught.value.headers['x-amzn-RequestId']}</RequestId>".encode() in caught.value.read()
    assert "text/xml" == caught.value.headers["Content-Type"]
    caught.value.close()


@pytest.mark.parametrize(
    "host, status",
    [("sts.eu-west-1.amazonaws.com", 200), ("sts.amazonaws.com", 403), ("sts.test", 403), ("sts.eu-west-1.test", 403)],
)
def test_the_region_of_an_unsigned_call_is_its_hosts(aws: World, host: str, status: int) -> None:
    """Where that is AWS's own name, as SDKs ask for that cannot be told another endpoint."""
    trusting = aws.accounts["Accounts"][0]["RoleDetailList"][0]["AssumeRolePolicyDocument"]["Statement"][0]
    trusting["Condition"]["StringEquals"]["aws:RequestedRegion"] = "eu-west-1"
    aws.use(aws.accounts)
    form = {
        "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "session",
        "RoleArn": "arn:aws:iam::111122223333:role/s3-reader", "WebIdentityToken": aws.issuer.token(),
    }  # fmt: skip
    assert status == aws.send(HttpRequest("POST", "/", [("host", host), FORM[1]], urlencode(form).encode()))[0]
