"""The gateway before a real S3 server, as boto3 sees it."""

import json
import urllib.request

import pytest

from tests.sts.test_web_identity import refusal
from tests.sts.world import ACCOUNT, USER_KEY, World

SCOPE = "20260101/us-east-1/s3/aws4_request"


@pytest.fixture
def bucket(s3_upstream: str, aws_with_s3: World) -> str:
    """A bucket of the account, made at the upstream itself."""
    headers = {
        "x-moto-account-id": ACCOUNT,
        "Authorization": f"AWS4-HMAC-SHA256 Credential=a/{SCOPE}, SignedHeaders=host, Signature=a",
    }
    request = urllib.request.Request(f"{s3_upstream}/productionapp", method="PUT", headers=headers)  # noqa: S310 -- loopback
    with urllib.request.urlopen(request):  # noqa: S310 -- loopback
        return "productionapp"


def test_a_role_with_the_right_lists_buckets(aws_with_s3: World, bucket: str) -> None:
    """The whole way: token, credentials, signature, permission, upstream."""
    listed = aws_with_s3.client("s3", aws_with_s3.session()).list_buckets()
    assert bucket in {each["Name"] for each in listed["Buckets"]}


def test_a_role_without_the_right_is_refused(aws_with_s3: World) -> None:
    """No policy allows it."""
    seen = refusal(aws_with_s3.client("s3", aws_with_s3.session(role="team/a/idle")).list_buckets)
    assert ("AccessDenied", 403) == seen[:2]
    assert "is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy allows" in seen[2]


NOTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}
REVOKED = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}


@pytest.mark.parametrize(
    "policy, words",
    [
        pytest.param(NOTHING, "because no session policy allows the s3:ListAllMyBuckets action", id="silent"),
        pytest.param(REVOKED, "with an explicit deny in a session policy", id="deny"),
    ],
)
def test_the_client_hears_which_kind_of_policy_refused(aws_with_s3: World, policy: object, words: str) -> None:
    """The role may; the policy that its session was given may not."""
    session = aws_with_s3.session(Policy=json.dumps(policy))
    code, _, message = refusal(aws_with_s3.client("s3", session).list_buckets)
    assert "AccessDenied" == code
    assert message.endswith(f"is not authorized to perform: s3:ListAllMyBuckets {words}")


def test_nothing_else_is_forwarded(aws_with_s3: World) -> None:
    """Operations whose action the gateway does not know stay here."""
    assert ("NotImplemented", 501) == refusal(
        aws_with_s3.client("s3", aws_with_s3.session()).create_bucket, Bucket="mine"
    )[:2]


def test_refusals_are_in_s3_words(aws_with_s3: World) -> None:
    """Unknown key, wrong secret, broken token, session over, clock off."""
    key, secret, token = aws_with_s3.session()

    def seen(*credentials: str) -> tuple[str, int]:
        return refusal(aws_with_s3.client("s3", credentials).list_buckets)[:2]

    assert ("InvalidAccessKeyId", 403) == seen("AKIAI44QH8DHBEXAMPLE", USER_KEY[1])
    assert ("InvalidAccessKeyId", 403) == seen(key, secret)
    assert ("SignatureDoesNotMatch", 403) == seen(key, secret + "x", token)
    assert ("InvalidToken", 400) == seen(key, secret, token[:-8] + "AAAAAAA=")
    aws_with_s3.offset = 1000
    assert ("RequestTimeTooSkewed", 403) == seen(key, secret, token)
    aws_with_s3.offset = 3601
    assert ("ExpiredToken", 400) == seen(key, secret, token)
