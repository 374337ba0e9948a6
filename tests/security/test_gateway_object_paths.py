"""Attack: an object outside of what the policy allows, reached by a path that is read in two ways."""

import contextlib

import pytest

from sts import authorization
from sts.refusals import Refused
from sts.sigv4 import HttpRequest
from tests.sts.test_gateway_objects import ARN, permit
from tests.sts.world import World, allow, signed_request

pytestmark = pytest.mark.usefixtures("keys_bucket")

PATHS = [
    "/keys/site/../secret", "/keys/site/%2e%2e/secret", "/keys/site/%2E%2E/secret", "/keys/site/./one",
    "/keys/site//one", "/keys//site/one", "//keys/site/one", "/keys/site%2Fone", "/keys/site%2fone", "/keys/%73ite/one",
    "/keys/site/..", "/keys/site/", "/keys/site/%252e", "/keys/site/a%00b", "/keys/site/a%0d%0ab", "/keys/site/a\\b",
    "/keys/site/a%5Cb", "/keys/site/%ff", "/keys/site/%c0%ae", "/keys/site/a%zz", "/keys/site/a%", "/keys/site/a+%20;b",
    "/keys/site/%c3%bc", "/%6beys/site/one", "/keys/site/" + "a" * 1025,
]  # fmt: skip
ALLOWED = {"/keys/site/%252e"}  # the key `site/%2e`, once encoded as SDKs do: it is what it says


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_path_is_read_in_one_way_or_not_at_all(method: str, path: str) -> None:
    """What is forwarded is the very key that the policy was asked about."""
    needed = None
    with contextlib.suppress(Refused):
        needed = authorization.needed(HttpRequest(method, path, [("host", "127.0.0.1")]))
    assert (path in ALLOWED) == (needed is not None)


@pytest.mark.parametrize("path", ["/keys/site/../secret", "/keys/site/%2e%2e/secret", "/keys/site//../secret", "/keys"])
def test_a_signature_does_not_help(aws_with_s3: World, path: str) -> None:
    """Signed by who may read everything below `site/`, on a real socket."""
    permit(aws_with_s3, allow("s3:*", [f"{ARN}/site/*"]))
    request = signed_request(aws_with_s3.session(), method="GET", target=path, body=b"", service="s3")
    assert aws_with_s3.send(request)[0] in {400, 403, 501}


@pytest.mark.parametrize(
    "host",
    [
        "keys.irsa-sts.irsa-system.svc", "keys.irsa-sts.irsa-system.svc.cluster.local:443", "keys.localhost:8443",
        "keys.s3.eu-central-1.amazonaws.com", "KEYS.irsa-sts.irsa-system.SVC.",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/site/one"])
def test_a_bucket_in_the_host_is_not_taken_for_none(host: str, path: str) -> None:
    """`/site/one` of bucket `keys` is not `one` of bucket `site`; its list is not the list of buckets."""
    assert authorization.needed(HttpRequest("GET", path, [("host", host)])) is None


@pytest.mark.parametrize("bucket", ["a", "ab", "UPPER", "a_b", "-ab", "ab-", "a" * 64, "..", "a*b"])
def test_no_bucket_name(bucket: str) -> None:
    """Only what S3 lets be one."""
    with pytest.raises(Refused, match="InvalidBucketName"):
        authorization.needed(HttpRequest("GET", f"/{bucket}/key", [("host", "127.0.0.1")]))
