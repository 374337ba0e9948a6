"""Condition operators, one row a rule: expected by the policy, seen in the request, what holds."""

from typing import Any

import pytest

from sts.policy import Kind, Permissions, PolicyError, Principal, authorize, parse, request

USER = Principal.user("arn:aws:iam::111122223333:user/alice")
NOW, EARLIER, LATER = "2026-11-24T05:00:00Z", "2026-11-24T04:59:59Z", "2026-11-24T05:00:01Z"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:a:b"


def holds(operator: str, expected: Any, seen: Any, version: str = "2012-10-17") -> bool:
    """Whether a statement under this one condition allows; `seen` None means that the request has no such key."""
    condition = {operator: {"svc:Key": expected}}
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    policy = parse({"Version": version, "Statement": statement}, Kind.IDENTITY, "p")
    known: dict[str, Any] = {"aws:username": "alice", "aws:PrincipalTag/größe": "xl", "svc:Many": ["a", "b"]}
    known |= {"svc:Arn": TOPIC, "svc:Region": "eu-west-1", "svc:Star": "*"}
    context = known | ({} if seen is None else {"svc:key": seen})
    return authorize(request("svc:Do", "*", USER, context), Permissions(identity=(policy,))).allowed


@pytest.mark.parametrize(
    "operator, expected, seen, held",
    [
        ("StringEquals", "a*", "a*", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["x", "a"], "a", True),
        ("StringNotEquals", ["x", "a"], "a", False),
        ("StringNotEquals", ["x", "a"], "b", True),
        ("StringNotEquals", "a", None, True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("StringEqualsIgnoreCase", "Ab", "aB", True),
        ("StringLike", "a?c*", "abcdef", True),
        ("StringNotLike", "a?c*", "abcdef", False),
        ("StringEquals", "${aws:username}", "alice", True),
        ("StringEquals", "${aws:none}", "alice", False),
        ("StringNotEquals", "${aws:none}", "alice", False),
        ("StringEquals", "${aws:none, 'bob'}", "bob", True),
        ("StringEquals", "${ aws:none , 'b,c' }", "b,c", True),
        ("StringEquals", "${aws:PrincipalTag/größe}", "xl", True),
        ("StringEquals", "${svc:Many}", "a", False),
        ("StringLike", "${*}b", "*b", True),
        ("StringLike", "${*}b", "ab", False),
        ("StringEquals", "${$}{x}", "${x}", True),
        ("StringEquals", "a", ["a", "b"], False),
        ("ForAnyValue:StringEquals", "a", ["a", "b"], True),
        ("ForAllValues:StringEquals", "a", ["a", "b"], False),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
        ("ForAllValues:StringEquals", "a", None, True),
        ("ForAnyValue:StringEquals", "a", None, False),
        ("ForAnyValue:StringNotEquals", "a", ["a", "b"], True),
        ("ForAllValues:StringNotEquals", "a", ["a", "b"], False),
        ("NumericEquals", 10, "10.0", True),
        ("NumericLessThan", "10", "9.99", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericNotEquals", "10", "ten", False),
        ("DateLessThan", NOW, EARLIER, True),
        ("DateLessThan", NOW, NOW, False),
        ("DateGreaterThan", NOW, LATER, True),
        ("DateEquals", "2026-11-24T06:00:00+01:00", NOW, True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("BinaryEquals", "QUJD", "QUJD", True),
        ("IpAddress", "10.0.0.0/8", "10.9.9.9", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("NotIpAddress", ["10.0.0.0/8", "192.0.2.1"], "192.0.2.1", False),
        ("ArnLike", "arn:aws:sns:*:111122223333:*", TOPIC, True),
        ("ArnEquals", "arn:aws:sns:*:*:a*", TOPIC, True),
        ("ArnLike", "arn:aws:s*:111122223333:x:y:z", TOPIC, False),
        ("ArnLike", "${svc:Arn}", TOPIC, True),
        ("ArnLike", "arn:aws:sns:${svc:Region}:*:*", TOPIC, True),
        ("ArnLike", "arn:aws:sns:${svc:Star}:*:*", TOPIC, False),
        ("ArnLike", "arn:*:*:*:*:*", "no ARN", False),
        ("ArnNotLike", "arn:*:*:*:*:*", "no ARN", True),
        ("Null", "true", None, True),
        ("Null", "true", "x", False),
        ("Null", False, "x", True),
    ],
)
def test_an_operator_holds(operator: str, expected: Any, seen: Any, held: bool) -> None:
    """As AWS's documentation has it."""
    assert held is holds(operator, expected, seen)


def test_variables_are_plain_text_in_the_old_version() -> None:
    """Version 2008-10-17 knows none."""
    assert holds("StringEquals", "${aws:username}", "${aws:username}", "2008-10-17")
    assert not holds("StringEquals", "${aws:username}", "alice", "2008-10-17")


@pytest.mark.parametrize(
    "operator, expected, problem",
    [
        ("StringEqual", "a", "no condition operator"),
        ("ForSomeValues:StringEquals", "a", "no condition operator"),
        ("NullIfExists", "true", "no condition operator"),
        ("Null", "maybe", "Null takes true or false"),
        ("NumericEquals", "ten", "not of the operator's type"),
        ("DateLessThan", "yesterday", "not of the operator's type"),
        ("Bool", "yes", "not of the operator's type"),
        ("IpAddress", "10.0.0.0/33", "no address range"),
        ("BinaryEquals", "***", "not of the operator's type"),
        ("ArnLike", "arn:aws:s3", "is no ARN"),
        ("StringEquals", [], "the list of values is empty"),
        ("StringEquals", {"a": 1}, "is no condition value"),
        ("StringEquals", "${aws:username", "is not closed"),
        ("StringEquals", "${}", "is no policy variable"),
        ("StringEquals", "${a,b}", "is no policy variable"),
    ],
)
def test_what_is_not_understood_is_refused(operator: str, expected: Any, problem: str) -> None:
    """When the document is read, with its place; never left out."""
    with pytest.raises(PolicyError, match=problem) as caught:
        holds(operator, expected, "x")
    assert caught.value.place == f"p: Statement[0].Condition.{operator}.svc:Key"


def test_a_revocation_as_the_console_writes_it() -> None:
    """AWSRevokeOlderSessions: sessions from before the moment are denied, later ones and long-lived keys are not."""
    statement = {
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-11-24T05:00:00.123Z"}},
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [everything, statement]}
    permissions = Permissions(identity=(parse(document, Kind.IDENTITY, "AWSRevokeOlderSessions"),))

    def allowed(context: dict[str, str]) -> bool:
        return authorize(request("s3:GetObject", "*", USER, context), permissions).allowed

    assert not allowed({"aws:TokenIssueTime": NOW})
    asked = request("s3:GetObject", "*", USER, {"aws:TokenIssueTime": NOW})
    decision = authorize(asked, permissions)
    assert ("DateLessThan", "aws:TokenIssueTime", (NOW,)) == (decision.operator, decision.key, decision.seen)
    assert decision.reason == (
        "AWSRevokeOlderSessions Statement[1] denies it: "
        f"DateLessThan aws:TokenIssueTime wants '2026-11-24T05:00:00.123Z', it is '{NOW}'"
    )
    assert allowed({"aws:TokenIssueTime": LATER})
    assert allowed({})
