"""Attack: other bytes than those that were signed or summed, or a frame that is read in two ways."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.http import BODY_LIMIT
from sts.payload import uploaded
from sts.refusals import Refused
from sts.sigv4 import HttpRequest
from tests.sts.test_gateway_objects import crc32, framed, permit, upload
from tests.sts.world import World, allow, signed_request

pytestmark = pytest.mark.usefixtures("keys_bucket")

BODY = b"public keys"
GOOD = framed(BODY, crc32(BODY))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(GOOD.replace(b"public", b"pvblic"), id="other bytes"),
        pytest.param(framed(BODY, crc32(b"others")), id="another sum"),
        pytest.param(framed(BODY, b"x-amz-checksum-crc32:"), id="an empty sum"),
        pytest.param(framed(BODY, b"x-amz-checksum-sha256:" + crc32(BODY)[21:]), id="another trailer than announced"),
        pytest.param(framed(BODY, crc32(BODY) + b"\r\nx-amz-acl:public-read"), id="one trailer more"),
        pytest.param(b"0\r\n\r\n" + GOOD, id="an end before the end"),
        pytest.param(GOOD + b"x", id="bytes behind the end"),
        pytest.param(GOOD[:-2], id="cut at the end"),
        pytest.param(GOOD[:8], id="cut in a chunk"),
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD.replace(b"b\r\n", b"-b\r\n", 1), id="a negative size"),
        pytest.param(GOOD.replace(b"b\r\n", b"0x0b\r\n", 1), id="a size with a prefix"),
        pytest.param(GOOD.replace(b"b\r\n", b"b;chunk-signature=0\r\n", 1), id="an extension"),
        pytest.param(GOOD.replace(b"b\r\n", b"ffffffff\r\n", 1), id="a size beyond the body"),
        pytest.param(GOOD.replace(b"b\r\n", b"000000000000b\r\n", 1), id="a long size"),
        pytest.param(GOOD.replace(b"b\r\n", b"b\n", 1), id="a bare line feed"),
    ],
)
def test_a_frame_that_is_not_exactly_so(body: bytes) -> None:
    """Refused, never repaired."""
    with pytest.raises(Refused) as refused:
        uploaded(upload(body, len(BODY)))
    assert 400 == refused.value.status


@given(st.binary(max_size=64), st.integers(0, 80), st.binary(min_size=1, max_size=4))
def test_a_changed_frame_never_gives_other_bytes(body: bytes, at: int, change: bytes) -> None:
    """Whatever is changed where: the same bytes, or a refusal."""
    frame = framed(body, crc32(body))
    with contextlib.suppress(Refused):
        assert body == uploaded(upload(frame[:at] + change + frame[at + len(change) :], len(body)))


@pytest.mark.parametrize(
    "changes",
    [
        {"x_amz_decoded_content_length": "5"},
        {"x_amz_decoded_content_length": ""},
        {"x_amz_trailer": "x-amz-checksum-crc64nvme"},
        {"x_amz_trailer": "x-amz-meta-a"},
        {"content_encoding": "aws-chunked,gzip"},
        {"content_encoding": ""},
        {"x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
        {"x_amz_content_sha256": "UNSIGNED-PAYLOAD"},
    ],
)
def test_headers_that_do_not_fit_the_frame(changes: dict[str, str]) -> None:
    """A length, a sum or a form that is another, or not known."""
    with pytest.raises(Refused):
        uploaded(upload(GOOD, len(BODY), **changes))


@pytest.mark.parametrize(
    "name", ["content-md5", "x-amz-checksum-crc32", "x-amz-checksum-sha1", "x-amz-checksum-sha256"]
)
def test_every_sum_is_checked(name: str) -> None:
    """A sum of other bytes is refused, also of a body that was signed."""
    for value in (base64.b64encode(b"0" * 4).decode(), "no base64", ""):
        with pytest.raises(Refused, match="BadDigest"):
            uploaded(HttpRequest("PUT", "/keys/one", [(name, value)], BODY))


def test_a_signed_body_is_that_body(aws_with_s3: World) -> None:
    """Other bytes behind a good signature."""
    permit(aws_with_s3, allow("s3:*"))
    request = signed_request(aws_with_s3.session(), method="PUT", target="/keys/one", body=BODY, service="s3")
    changed = HttpRequest(request.method, request.target, request.headers, b"pvblic keys")
    assert (200, 403) == (aws_with_s3.send(request)[0], aws_with_s3.send(changed)[0])


def test_a_body_has_a_limit(aws_with_s3: World) -> None:
    """Far above any key set; nothing of it reaches the server behind."""
    permit(aws_with_s3, allow("s3:*"))
    large = b"a" * (BODY_LIMIT + 1)
    request = signed_request(aws_with_s3.session(), method="PUT", target="/keys/large", body=large, service="s3")
    assert aws_with_s3.send(request)[0] in {400, 413}
    there = signed_request(aws_with_s3.session(), method="GET", target="/keys/large", body=b"", service="s3")
    assert 404 == aws_with_s3.send(there)[0]
