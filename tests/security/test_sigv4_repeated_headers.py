"""Attack: a signed header, or the signature itself, that comes twice."""

import msgspec
import pytest

from tests.sts.world import USER_KEY, World, decided, signed_request

OK = "arn:aws:iam::111122223333:user/dev/david"


@pytest.mark.parametrize("name", ["host", "x-amz-date", "content-type"])
def test_a_second_value_of_a_signed_header(aws: World, name: str) -> None:
    """Both values are under the signature, so a second one breaks it."""
    request = signed_request(USER_KEY)
    again = [*request.headers, (name, "other")]
    assert "SignatureDoesNotMatch" == decided(aws, msgspec.structs.replace(request, headers=again))


def test_two_signatures_are_none(aws: World) -> None:
    """By header and by query at once, or twice by header."""
    request = signed_request(USER_KEY)
    twice = [*request.headers, ("authorization", request.header("authorization"))]
    assert "IncompleteSignature" == decided(aws, msgspec.structs.replace(request, headers=twice))
    both = msgspec.structs.replace(request, target="/?X-Amz-Signature=" + "0" * 64)
    assert "IncompleteSignature" == decided(aws, both)
