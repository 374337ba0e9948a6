"""Attack: a signature that was made for another path, query or method."""

import msgspec
import pytest

from tests.sts.world import USER_KEY, World, decided, signed_request

OK = "arn:aws:iam::111122223333:user/dev/david"


DIFFERS = "SignatureDoesNotMatch"


TARGETS = ["/other", "/?Action=AssumeRole", "//", "/.", "/%2F", "/#", "/#fragment", "/;x", "/?x", "/?X-Amz-Signature=x"]


@pytest.mark.parametrize("target", TARGETS)
def test_another_target(aws: World, target: str) -> None:
    """A signature over `/` is good for nothing else; only what normalises to `/` for STS is the same path."""
    request = signed_request(USER_KEY)
    same_path = target in {"//", "/."}
    assert (OK if same_path else "refused") == (
        OK if decided(aws, msgspec.structs.replace(request, target=target)) == OK else "refused"
    )


@pytest.mark.parametrize("target", ["/bucket/../", "/./", "//", "/a%2Fb", "/bucket%2F", "/?list-type=2"])
def test_another_path_for_s3(aws: World, target: str) -> None:
    """S3 takes paths as they are, so nothing but the very same path has the same signature."""
    request = signed_request(USER_KEY, method="GET", target="/", body=b"", service="s3")
    assert OK == decided(aws, request, service="s3")
    assert OK != decided(aws, msgspec.structs.replace(request, target=target), service="s3")


def test_another_method(aws: World) -> None:
    """A signature over GET is none over DELETE."""
    request = signed_request(USER_KEY, method="GET", target="/bucket", body=b"", service="s3")
    assert DIFFERS == decided(aws, msgspec.structs.replace(request, method="DELETE"), service="s3")
