"""Attack: a signed request kept and sent later, or signed ahead of time."""

import pytest

from tests.sts.world import USER_KEY, World, decided, signed_request

OK = "arn:aws:iam::111122223333:user/dev/david"
OVER = "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "after, expected",
    [(0, OK), (899, OK), (900, OK), (901, OVER), (86400, OVER), (-899, OK), (-900, OK), (-901, OVER)],
)
def test_how_long_a_signed_request_is_good(aws: World, after: float, expected: str) -> None:
    """Fifteen minutes to both sides, to the second."""
    assert expected == decided(aws, signed_request(USER_KEY), after=after)


@pytest.mark.parametrize("after, expected", [(0, OK), (60, OK), (61, OVER), (-900, OK), (-901, OVER)])
def test_how_long_a_presigned_request_of_s3_is_good(aws: World, after: float, expected: str) -> None:
    """As long as it says itself."""
    request = signed_request(USER_KEY, method="GET", target="/keys/a", body=b"", presigned=60, service="s3")
    assert expected == decided(aws, request, after=after, service="s3")


@pytest.mark.parametrize("says", [60, 604800])
@pytest.mark.parametrize("after, expected", [(61, OK), (900, OK), (901, OVER), (-900, OK), (-901, OVER)])
def test_how_long_a_presigned_request_of_sts_is_good(aws: World, says: int, after: float, expected: str) -> None:
    """Fifteen minutes whatever it says, as AWS's STS has it."""
    target = "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = signed_request(USER_KEY, method="GET", target=target, body=b"", presigned=says)
    assert expected == decided(aws, request, after=after)


@pytest.mark.parametrize("seconds, expected", [(604800, OK), (604801, "IncompleteSignature")])
def test_how_long_it_may_say(aws: World, seconds: int, expected: str) -> None:
    """A week."""
    target = "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = signed_request(USER_KEY, method="GET", target=target, body=b"", presigned=seconds)
    assert expected == decided(aws, request)
