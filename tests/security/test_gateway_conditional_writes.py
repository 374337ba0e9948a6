"""Attack: an upload under another condition than the policy was told, or one that tells what the role may not read."""

from typing import Any

import pytest

from tests.sts.test_gateway_objects import ARN, permit
from tests.sts.world import World, allow, signed_request

pytestmark = pytest.mark.usefixtures("keys_bucket")


def put(here: World, key: str, *headers: tuple[str, str], body: bytes = b"x") -> int:
    """The status of an upload whose extra headers are not signed, as S3 lets them be."""
    plain = {"Content-Type": "text/plain"}
    target = f"/keys/{key}"
    request = signed_request(here.session(), method="PUT", target=target, body=body, service="s3", headers=plain)
    changed = type(request)(request.method, request.target, [*request.headers, *headers], request.body)
    return here.send(changed)[0]


READ = allow("s3:GetObject", f"{ARN}/*")
ONLY_NEW: Any = {"Null": {"s3:if-none-match": "false"}}
ONLY_SEEN: Any = {"Null": {"s3:if-match": "false"}}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("if-none-match", "*"), ("if-none-match", '"x"')], id="a second one"),
        pytest.param([("if-none-match", '"x"'), ("if-none-match", "*")], id="a first one"),
        pytest.param([("if-none-match", '"x"')], id="another than for what is not there"),
        pytest.param([("if-none-match", '*, "x"')], id="a list"),
        pytest.param([("if-none-match", "")], id="an empty one"),
        pytest.param([], id="none"),
    ],
)
def test_what_is_there_is_not_written_over(aws_with_s3: World, headers: list[tuple[str, str]]) -> None:
    """A role that may only write what is new."""
    permit(aws_with_s3, allow(["s3:PutObject", "s3:GetObject"], f"{ARN}/*", Condition=ONLY_NEW), READ)
    put(aws_with_s3, "written-once", ("if-none-match", "*"), body=b"first")
    assert put(aws_with_s3, "written-once", *headers, body=b"second") in {403, 412, 501}
    there = signed_request(aws_with_s3.session(), method="GET", target="/keys/written-once", body=b"", service="s3")
    assert (200, b"first") == aws_with_s3.send(there)


@pytest.mark.parametrize("value", ["\xe9", '"\xe9"'])
def test_a_condition_that_would_not_arrive(aws_with_s3: World, value: str) -> None:
    """Bytes that are not forwarded: the upload would be unconditional."""
    permit(aws_with_s3, allow("s3:PutObject", f"{ARN}/*", Condition=ONLY_SEEN), READ)
    assert 501 == put(aws_with_s3, "seen", ("if-match", value))


def test_an_etag_is_not_guessed_without_the_right_to_read(aws_with_s3: World) -> None:
    """If-Match tells whether the object is the one that the caller thinks: S3 asks for GetObject too."""
    permit(aws_with_s3, allow("s3:PutObject", f"{ARN}/*"))
    assert (200, 403) == (put(aws_with_s3, "blind"), put(aws_with_s3, "blind", ("if-match", '"x"')))
    permit(aws_with_s3, allow("s3:PutObject", f"{ARN}/*"), READ)
    assert 412 == put(aws_with_s3, "blind", ("if-match", '"x"'))


def test_conditions_that_the_user_guide_enforces_so(aws_with_s3: World) -> None:
    """A Deny for uploads without a condition, which spares the parts of a large one, and for old signatures."""
    unconditional: Any = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    old: Any = {"NumericGreaterThan": {"s3:signatureAge": "-1"}}
    for condition in (unconditional, old):
        denied = allow("s3:PutObject", f"{ARN}/*", Effect="Deny", Condition=condition)
        permit(aws_with_s3, allow("s3:*", f"{ARN}/*"), denied)
        assert 403 == put(aws_with_s3, "enforced")


def test_a_bucket_of_another_account(aws_with_s3: World) -> None:
    """Without a bucket's policy nobody reaches into it from elsewhere, whatever the role's policies allow."""
    permit(aws_with_s3, allow("s3:*", ["*"]))
    session = aws_with_s3.session()
    request = signed_request(session, method="GET", target="/elsewhere/one", body=b"", service="s3")
    assert 403 == aws_with_s3.send(request)[0]
    upload = signed_request(session, method="PUT", target="/elsewhere/one", body=b"x", service="s3")
    assert 403 == aws_with_s3.send(upload)[0]
