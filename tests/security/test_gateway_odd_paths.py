"""Attack: a path that the gateway reads as one thing and the server behind it as another."""

import pytest

from tests.sts.world import World, signed_request

ODD = [
    "//", "/./", "/../", "/%2e%2e/", "/%2E/", "/%2F", "/a/..", "/a/../", "/bucket/..%2f", "/;/", "/\\", "/%5c", "/%00",
    "/%20", "/?list-type=2",
    "/?acl", "/?policy=", "/?X-Amz-Copy-Source=/a/b", "/?X%2DAmz-Meta=1&location",
]  # fmt: skip


@pytest.mark.parametrize("target", ODD)
def test_only_the_list_is_the_list(aws_with_s3: World, target: str) -> None:
    """A role that may list the buckets and nothing else gets nothing else, however it is spelled."""
    key = aws_with_s3.session()
    plain = signed_request(key, method="GET", target="/", body=b"", service="s3")
    assert 200 == aws_with_s3.send(plain)[0]
    status, body = aws_with_s3.send(signed_request(key, method="GET", target=target, body=b"", service="s3"))
    assert status >= 400, body


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "LIST"])
def test_nor_by_another_method(aws_with_s3: World, method: str) -> None:
    """The path alone is not the operation."""
    key = aws_with_s3.session()
    request = signed_request(key, method=method, target="/", body=b"", service="s3")
    assert aws_with_s3.send(request)[0] >= 400
