"""Attack: another operation than the policy was asked about, by a query parameter, a header or a method."""

import pytest

from tests.sts.test_gateway_objects import ARN, permit
from tests.sts.world import World, allow, signed_request

pytestmark = pytest.mark.usefixtures("keys_bucket")

QUERIES = [
    "acl", "tagging", "versionId=1", "uploads", "uploadId=1&partNumber=1", "partNumber=1", "torrent", "restore",
    "select", "legal-hold", "retention", "attributes", "%61cl", "Acl", "x-id=GetObjectAcl", "x-id=GetObject&acl",
    "X-Amz-Acl=public", "response-content-type=text/html", "a",
    "x%2Did=GetObject", "%78-id=PutObject", "%58-Amz-Date=1",
]  # fmt: skip
HEADERS = [
    {"x-amz-copy-source": "/keys/secret"}, {"x-amz-acl": "public-read"}, {"x-amz-tagging": "a=b"},
    {"x-amz-meta-a": "b"}, {"x-amz-website-redirect-location": "/x"}, {"x-amz-grant-read": "id=1"},
    {"x-amz-object-lock-mode": "GOVERNANCE"}, {"x-amz-server-side-encryption": "aws:kms"}, {"x-amz-storage-class": "x"},
    {"x-amz-write-offset-bytes": "1"}, {"content-disposition": "attachment"},
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_parameter_that_is_not_known(aws_with_s3: World, method: str, query: str) -> None:
    """Refused, not dropped, though the role may do everything with everything."""
    permit(aws_with_s3, allow("s3:*"))
    request = signed_request(aws_with_s3.session(), method=method, target=f"/keys/one?{query}", body=b"", service="s3")
    assert aws_with_s3.send(request)[0] >= 400


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: next(iter(header)))
def test_a_header_that_is_not_known(aws_with_s3: World, header: dict[str, str]) -> None:
    """A copy, a lock, an ACL: none of them is done in part."""
    permit(aws_with_s3, allow("s3:*"))
    key = aws_with_s3.session()
    request = signed_request(key, method="PUT", target="/keys/one", body=b"x", service="s3", headers=header)
    assert 501 == aws_with_s3.send(request)[0]


@pytest.mark.parametrize("method", ["DELETE", "POST", "PATCH", "OPTIONS", "COPY"])
def test_another_method(aws_with_s3: World, method: str) -> None:
    """Nor by another method, nor by a header that claims one."""
    permit(aws_with_s3, allow("s3:*"))
    headers = {"x-http-method-override": "GET"}
    key = aws_with_s3.session()
    request = signed_request(key, method=method, target="/keys/one", body=b"", service="s3", headers=headers)
    assert 501 == aws_with_s3.send(request)[0]


@pytest.mark.parametrize("target", ["/keys", "/keys/", "/keys?list-type=2", "/keys/?list-type=2&prefix=a"])
def test_a_bucket_is_no_object(aws_with_s3: World, target: str) -> None:
    """Nothing is listed, made or deleted; what is asked about objects ends at the bucket."""
    permit(aws_with_s3, allow("s3:*", f"{ARN}/*"))
    request = signed_request(aws_with_s3.session(), method="GET", target=target, body=b"", service="s3")
    assert 501 == aws_with_s3.send(request)[0]
