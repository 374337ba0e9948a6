"""Attack: a parameter that comes twice, so that who signs and who decides read two requests."""

import msgspec
import pytest

from tests.sts.world import USER_KEY, World, decided, signed_request

WHO = "/?Action=GetCallerIdentity&Version=2011-06-15"
NAMES = ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature", "Security-Token"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("spelling", ["X-Amz-{}", "X%2DAmz-{}", "x-amz-{}"])
def test_what_presigns_comes_once(aws: World, name: str, first: bool, spelling: str) -> None:
    """In whatever spelling: the second one is refused, or breaks the signature."""
    request = signed_request(USER_KEY, method="GET", target=WHO, body=b"", presigned=300)
    assert 200 == aws.send(request)[0]
    again = f"{spelling.format(name)}=86400"
    target = request.target.replace("/?", f"/?{again}&", 1) if first else f"{request.target}&{again}"
    status, answer = aws.send(msgspec.structs.replace(request, target=target))
    assert status in {400, 403}, answer


@pytest.mark.parametrize(
    "again", ["&Action=AssumeRole", "&action=AssumeRole", "&Acti%6Fn=AssumeRole", ";Action=AssumeRole"]
)
def test_an_action_that_is_added_breaks_the_signature(aws: World, again: str) -> None:
    """By header and presigned."""
    by_header = signed_request(USER_KEY, method="GET", target=WHO, body=b"")
    presigned = signed_request(USER_KEY, method="GET", target=WHO, body=b"", presigned=300)
    for request in (by_header, presigned):
        changed = msgspec.structs.replace(request, target=request.target + again)
        assert "SignatureDoesNotMatch" == decided(aws, changed)


def test_query_and_body_together_count_in_this_order(aws: World) -> None:
    """Both are under the signature; the query's comes first, whatever the body says."""
    body = b"Action=AssumeRole&Version=2011-06-15"
    status, answer = aws.send(signed_request(USER_KEY, target=WHO, body=body))
    assert 200 == status
    assert b"<GetCallerIdentityResponse" in answer


def test_an_unsigned_call_cannot_carry_a_signed_one(aws: World) -> None:
    """The door is chosen by the action that counts, and no other is done."""
    target = "/?Action=AssumeRoleWithWebIdentity&Action=GetCallerIdentity&Version=2011-06-15"
    status, answer = aws.send(signed_request(USER_KEY, method="GET", target=target, body=b""))
    assert (400, True) == (status, b"ValidationError" in answer)
