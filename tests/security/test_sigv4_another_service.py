"""Attack: a signature that was made for another service, region or day."""

import msgspec
import pytest

from tests.sts.world import USER_KEY, World, decided, signed_request

OK = "arn:aws:iam::111122223333:user/dev/david"


DIFFERS = "SignatureDoesNotMatch"


@pytest.mark.parametrize("made_for, used_for", [("s3", "sts"), ("sts", "s3"), ("execute-api", "sts")])
def test_another_service(aws: World, made_for: str, used_for: str) -> None:
    """The scope names the service."""
    request = signed_request(USER_KEY, service=made_for)
    assert DIFFERS == decided(aws, request, service=used_for)


def test_the_servers_door_is_chosen_by_the_scope(aws: World) -> None:
    """A call of STS that is signed for S3 is the gateway's, and never answered as STS."""
    request = signed_request(USER_KEY, service="s3")
    assert 501 == aws.send(request)[0]


@pytest.mark.parametrize(
    "scope",
    [
        "20200101/us-east-1/sts/aws4_request",
        "{date}/eu-west-1/sts/aws4_request",
        "{date}/us-east-1/sts/aws5_request",
        "{date}/us-east-1/sts",
        "{date}//sts/aws4_request",
    ],
)
def test_another_scope(aws: World, scope: str) -> None:
    """Another day, another region, another ending, or a part missing."""
    request = signed_request(USER_KEY)
    date = request.header("x-amz-date")[:8]
    changed = [
        (name, value.replace(f"{date}/us-east-1/sts/aws4_request", scope.format(date=date)))
        for name, value in request.headers
    ]
    assert decided(aws, msgspec.structs.replace(request, headers=changed)) in {DIFFERS, "IncompleteSignature"}
