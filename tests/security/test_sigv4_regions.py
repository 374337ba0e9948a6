"""Attack: a million regions, each with a signing key that the STS would keep."""

import msgspec
import pytest

from sts import sigv4
from sts.sigv4 import HttpRequest
from tests.sts.world import USER_KEY, World, decided, signed_request


def scoped(request: HttpRequest, region: str) -> HttpRequest:
    headers = [(name, value.replace("/us-east-1/", f"/{region}/")) for name, value in request.headers]
    return msgspec.structs.replace(request, headers=headers)


@pytest.mark.parametrize(
    "region", ["x" * 65, "x" * 60_000, "us east 1", "us\teast", "\u00fc", "us\neast", "a;b", "<a>"]
)
def test_what_is_no_region_is_refused_before_a_key_is_made(aws: World, region: str) -> None:
    """An access key id is no secret; whoever knows one could fill memory with the names that he makes up."""
    sigv4._signing_key.cache_clear()
    assert decided(aws, scoped(signed_request(USER_KEY), region)) in {"SignatureDoesNotMatch", "IncompleteSignature"}
    assert 0 == sigv4._signing_key.cache_info().currsize


def test_what_is_kept_is_bounded(aws: World) -> None:
    """Not the names' number either."""
    request = signed_request(USER_KEY)
    limit = sigv4._signing_key.cache_info().maxsize
    assert limit is not None
    for number in range(limit + 10):
        assert "SignatureDoesNotMatch" == decided(aws, scoped(request, f"r-{number}"))
    assert limit == sigv4._signing_key.cache_info().currsize
