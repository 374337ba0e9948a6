# ruff: noqa: E501 -- a case of a table is a line
"""Attack: a header that the signature does not cover, added on the way."""

import msgspec
import pytest

from tests.sts.world import USER_KEY, World, decided, signed_request

OK = "arn:aws:iam::111122223333:user/dev/david"


@pytest.mark.parametrize(
    "header",
    [("x-amz-security-token", "forged"), ("x-amz-target", "Other"), ("x-amz-content-sha256", "0" * 64), ("x-amz-meta-a", "b")],
    ids=str,
)  # fmt: skip
def test_an_unsigned_amz_header_is_refused(aws: World, header: tuple[str, str]) -> None:
    """Whatever speaks to AWS has to be signed."""
    request = signed_request(USER_KEY)
    assert OK == decided(aws, request)
    assert OK != decided(aws, msgspec.structs.replace(request, headers=[*request.headers, header]))


def test_an_unsigned_header_that_says_nothing_to_aws_is_let_through(aws: World) -> None:
    """Proxies add them."""
    request = signed_request(USER_KEY)
    assert OK == decided(aws, msgspec.structs.replace(request, headers=[*request.headers, ("via", "1.1 proxy")]))


def test_the_host_has_to_be_signed(aws: World) -> None:
    """A signature that leaves it out is good for any server."""
    request = signed_request(USER_KEY)
    headers = [
        (name, value.replace("SignedHeaders=content-type;host;x-amz-date", "SignedHeaders=content-type;x-amz-date"))
        for name, value in request.headers
    ]
    assert headers != request.headers
    assert "SignatureDoesNotMatch" == decided(aws, msgspec.structs.replace(request, headers=headers))
