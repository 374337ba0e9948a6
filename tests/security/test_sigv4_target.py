"""Attack: a signature that was made for another path, query, method, service or day."""

import dataclasses

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
        OK if decided(aws, dataclasses.replace(request, target=target)) == OK else "refused"
    )


@pytest.mark.parametrize("target", ["/bucket/../", "/./", "//", "/a%2Fb", "/bucket%2F", "/?list-type=2"])
def test_another_path_for_s3(aws: World, target: str) -> None:
    """S3 takes paths as they are, so nothing but the very same path has the same signature."""
    request = signed_request(USER_KEY, method="GET", target="/", body=b"", service="s3")
    assert OK == decided(aws, request, service="s3")
    assert OK != decided(aws, dataclasses.replace(request, target=target), service="s3")


def test_another_method(aws: World) -> None:
    """A signature over GET is none over DELETE."""
    request = signed_request(USER_KEY, method="GET", target="/bucket", body=b"", service="s3")
    assert DIFFERS == decided(aws, dataclasses.replace(request, method="DELETE"), service="s3")


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
    assert decided(aws, dataclasses.replace(request, headers=changed)) in {DIFFERS, "IncompleteSignature"}
