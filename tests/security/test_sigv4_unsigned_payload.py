"""Attack: a signature that does not cover the body, or says that it is signed elsewhere."""

import msgspec
import pytest

from tests.sts.world import USER_KEY, World, decided, signed_request

OK = "arn:aws:iam::111122223333:user/dev/david"
STREAMING = [
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "UNSIGNED-PAYLOAD",
    "",
    "0" * 64,
]


@pytest.mark.parametrize("hashed", STREAMING)
def test_sts_wants_the_bodys_hash(aws: World, hashed: str) -> None:
    """Its parameters are the body; nothing else is taken for its hash, though the header is signed."""
    request = signed_request(USER_KEY, headers={"x-amz-content-sha256": hashed})
    assert "SignatureDoesNotMatch" == decided(aws, request)


def test_another_body_under_the_same_signature(aws: World) -> None:
    """GetCallerIdentity's signature is none for AssumeRole."""
    request = signed_request(USER_KEY)
    assert OK == decided(aws, request)
    other = msgspec.structs.replace(request, body=b"Action=AssumeRole&Version=2011-06-15")
    assert "SignatureDoesNotMatch" == decided(aws, other)


def test_a_body_behind_a_presigned_get(aws: World) -> None:
    """A presigned call of STS covers the body, and none came when it was made."""
    target = "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = signed_request(USER_KEY, method="GET", target=target, body=b"", presigned=300)
    assert OK == decided(aws, request)
    assert "SignatureDoesNotMatch" == decided(aws, msgspec.structs.replace(request, body=b"Action=AssumeRole"))
