"""Our decisions against two evaluators that other people wrote, on thousands of made-up cases.

The cases stay clear of what the evaluators are known to see differently; `DISAGREEMENTS` has one example of each, with
AWS's documentation as the judge, and is checked to be still true.
"""

import json
import re
from dataclasses import asdict
from typing import Any, NamedTuple

import pytest

from sts.policy import Decision, Kind, parse
from sts.policy.operators import OPERATORS
from tests.policy.cases import HOME, PROVIDER, ROLE, SESSION, TARGET, USER, Case, Document, cases, trust_cases
from tests.policy.oracles import answers, ministack
from tests.policy.wide_cases import ALL, condition_cases, principal_cases

pytestmark = pytest.mark.programs


def verdict(decision: Decision) -> str:
    """Our decision in the other evaluator's words."""
    if decision.allowed:
        return "Allowed"
    return "ExplicitlyDenied" if decision.explicit_deny else "ImplicitlyDenied"


@pytest.mark.parametrize(
    "made, count",
    [
        pytest.param(cases, 2000, id="permissions"),
        pytest.param(trust_cases, 1500, id="trust"),
        pytest.param(condition_cases, 5000, id="conditions"),
        pytest.param(principal_cases, 2000, id="principals"),
        pytest.param(cases, 20_000, id="permissions at length", marks=pytest.mark.nightly),
        pytest.param(trust_cases, 20_000, id="trust at length", marks=pytest.mark.nightly),
        pytest.param(condition_cases, 20_000, id="conditions at length", marks=pytest.mark.nightly),
        pytest.param(principal_cases, 20_000, id="principals at length", marks=pytest.mark.nightly),
    ],
)
def test_decisions_equal_those_of_iam_simulate(made: Any, count: int) -> None:
    """Thousands of cases: the same verdict, an explicit deny told from an implicit one."""
    asked = made(11, count)
    ours = [verdict(case.ours()) for case in asked]
    assert {"Allowed", "ImplicitlyDenied", "ExplicitlyDenied"} == set(ours)
    theirs = answers([asdict(case) for case in asked])
    assert [] == [row for row in zip(ours, theirs, asked, strict=True) if row[0] != row[1]]


def test_the_cases_meet_every_operator_under_every_qualifier() -> None:
    """Each of 26 operators, three qualifiers and with or without IfExists is met by some cases, and by others not."""
    outcomes: dict[str, set[bool]] = {}
    for case in condition_cases(11, 5000):
        for statement in parse(case.identity[0], Kind.IDENTITY, "policy").statements:
            for condition in statement.conditions:
                outcomes.setdefault(condition.operator.lower(), set()).add(condition.holds(case.request().context))
    every = {f"{qualifier}{operator}{suffix}".lower() for _, operator, qualifier, suffix in ALL}
    assert every == {name for name, seen in outcomes.items() if seen == {True, False}}
    assert set(OPERATORS) == {name for name in every if ":" not in name and not name.endswith("ifexists")} - {"null"}


class Disagreement(NamedTuple):
    """A case that the other evaluator decides otherwise."""

    name: str
    case: Case
    ours: str
    theirs: str


def granted(statement: Document | None = None, *, version: str = "2012-10-17", **changed: Any) -> Case:
    """A user with one identity policy that allows everything, but for what the statement says."""
    document = {
        "Version": version,
        "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"} | (statement or {}),
    }
    case = Case(USER, "s3:GetObject", "arn:aws:s3:::data/x", HOME, {}, [document])
    for name, value in changed.items():
        setattr(case, name, value)
    return case


def only_if(operator: str, key: str, expected: Any, context: dict[str, Any], **changed: Any) -> Case:
    """`granted` under one condition."""
    return granted({"Condition": {operator: {key: expected}}}, context=context, **changed)


ALLOW, IMPLICIT, EXPLICIT = "Allowed", "ImplicitlyDenied", "ExplicitlyDenied"
NAMED_SESSION: Document = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": {"AWS": SESSION}, "Action": "*", "Resource": "*"},
}
NAMED_EVERYONE: Document = json.loads(json.dumps(NAMED_SESSION).replace(SESSION, "*"))
NOTHING: Document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}

# Each row is also in docs/policy.md, with the page of AWS's documentation that decides.
DISAGREEMENTS = [
    Disagreement(
        "variables exist only in version 2012-10-17",
        granted({"Resource": "arn:aws:s3:::${aws:username}/x"}, version="2008-10-17", context={"aws:username": "data"}),
        IMPLICIT,
        ALLOW,
    ),
    Disagreement(
        "a star from a variable's escape equals a star",
        only_if("StringEquals", "aws:PrincipalTag/a", "b${?}", {"aws:PrincipalTag/a": "b?"}),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "a dollar from a variable's escape equals a dollar",
        only_if("StringEquals", "aws:PrincipalTag/a", "b${$}", {"aws:PrincipalTag/a": "b$"}),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "a variable without a value makes ArnNotLike false, whatever stands before it",
        only_if("ArnNotLike", "aws:SourceArn", "arn:aws:s3:::${aws:none}", {"aws:SourceArn": "arn:aws:sqs:::data"}),
        IMPLICIT,
        ALLOW,
    ),
    Disagreement(
        "a text that is no ARN is not like one",
        only_if("ArnNotLike", "svc:Arn", "arn:aws:s3:::*", {"svc:Arn": "system:serviceaccount:a:b"}),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "a list of one value is that value, without a set operator too",
        only_if("StringEquals", "aws:TagKeys", "a", {"aws:TagKeys": ["a"]}),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "a list of one value can be a variable",
        only_if("StringEquals", "svc:Key", "${aws:TagKeys}", {"svc:Key": "a", "aws:TagKeys": ["a"]}),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "every IPv4 address is in 0.0.0.0/0",
        only_if("IpAddress", "aws:SourceIp", "0.0.0.0/0", {"aws:SourceIp": "203.0.113.9"}),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "an IPv6 address is not the IPv4 address that is excepted",
        only_if("NotIpAddress", "aws:SourceIp", "203.0.113.9", {"aws:SourceIp": "2001:db8::7"}),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "a bucket policy that names the session is not limited by the session policy",
        granted(principal=SESSION, identity=[], session=NOTHING, policy=NAMED_SESSION),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "nor is one that names everyone",
        granted(principal=SESSION, identity=[], session=NOTHING, policy=NAMED_EVERYONE),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "IfExists is true of a missing key under ForAnyValue too",
        only_if("ForAnyValue:StringEqualsIfExists", "aws:TagKeys", "a", {}),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "an empty value is no value under ForAllValues",
        only_if("ForAllValues:StringEquals", "aws:TagKeys", "a", {"aws:TagKeys": [""]}),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "an account principal is no web identity of a provider in that account",
        Case(
            PROVIDER,
            "sts:AssumeRoleWithWebIdentity",
            TARGET,
            HOME,
            {},
            policy={
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": "sts:*"},
                    {"Effect": "Deny", "Principal": {"AWS": HOME}, "Action": "sts:*"},
                ],
            },
        ),
        ALLOW,
        EXPLICIT,
    ),
    Disagreement(
        "NotPrincipal with a role's ARN alone does not exempt its sessions",
        granted(
            principal=SESSION,
            policy={
                "Version": "2012-10-17",
                "Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": [ROLE, HOME]}, "Action": "*", "Resource": "*"},
            },
        ),
        EXPLICIT,
        ALLOW,
    ),
    Disagreement(
        "NotPrincipal with a user's ARN alone does not exempt it: the account has to be listed too",
        granted(
            policy={
                "Version": "2012-10-17",
                "Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": [USER]}, "Action": "*", "Resource": "*"},
            },
        ),
        EXPLICIT,
        ALLOW,
    ),
    Disagreement(
        "NotPrincipal with an account exempts nobody but its root user",
        granted(
            policy={
                "Version": "2012-10-17",
                "Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": [HOME]}, "Action": "*", "Resource": "*"},
            },
        ),
        EXPLICIT,
        ALLOW,
    ),
    Disagreement(
        "a star at the end of an ARN's part reaches over colons",
        granted({"Resource": "arn:aws:logs:*:a:b"}, resource=f"arn:aws:logs:eu-west-1:{HOME}:group:a:b"),
        ALLOW,
        IMPLICIT,
    ),
    Disagreement(
        "a number with a fraction equals itself written otherwise",
        only_if("NumericEquals", "s3:max-keys", "1e2", {"s3:max-keys": "100"}),
        ALLOW,
        IMPLICIT,
    ),
]


def test_the_listed_disagreements_are_still_there() -> None:
    """Each stands for a rule of AWS that the other evaluator has otherwise; one mended there leaves the list."""
    theirs = answers([asdict(row.case) for row in DISAGREEMENTS])
    seen = [(row.name, verdict(row.case.ours()), other) for row, other in zip(DISAGREEMENTS, theirs, strict=True)]
    assert [(row.name, row.ours, row.theirs) for row in DISAGREEMENTS] == seen


def test_decisions_equal_those_of_ministack() -> None:
    """What MiniStack's evaluator has too (no variables, no resource policies, its own clock): the same verdict."""
    other = ministack()

    def theirs(case: Case) -> str:
        context = other.EvalContext(
            principal_arn=case.principal,
            principal_type="User",
            principal_account=HOME,
            action=case.action,
            resource_arn=case.resource,
            region="eu-west-1",
            source_ip=str(given(case, "aws:SourceIp")),
            secure_transport=given(case, "aws:SecureTransport") == "true",
            service_context={key.lower(): value for key, value in case.context.items()},
        )
        limits = [[other.parse_policy_document(limit)] for limit in (case.boundary, case.session) if limit]
        policies = [other.parse_policy_document(document) for document in case.identity]
        return str(other.evaluate(context, policies, *limits).decision)

    asked = [plain(case) for case in cases(12, 1000)]
    asked += [case for case in condition_cases(12, 3000) if told(case)]
    words = {"Allowed": "Allow", "ImplicitlyDenied": "ImplicitDeny", "ExplicitlyDenied": "Deny"}
    ours = [words[verdict(case.ours())] for case in asked]
    assert set(words.values()) == set(ours)
    assert [] == [row for row in zip(ours, map(theirs, asked), asked, strict=True) if row[0] != row[1]]


def given(case: Case, key: str) -> str | list[str]:
    """A value of the case's context; keys ignore case."""
    return next((value for name, value in case.context.items() if name.lower() == key.lower()), "")


def told(case: Case) -> bool:
    """Whether MiniStack's evaluator has what the case is about: docs/policy.md lists what it has not, or otherwise."""
    block = case.identity[0]["Statement"][-1]["Condition"]
    if "${" in json.dumps(block):
        return False
    for operator, conditions in block.items():
        for key in conditions:
            seen = case.context.get(key, "")
            if isinstance(seen, list) and ":" not in operator and operator != "Null":
                return False
            if "localhost" in seen and "notip" in operator.lower():
                return False
    return True


def plain(case: Case) -> Case:
    """The case without what MiniStack's evaluator leaves out or takes from its own process and clock."""
    text = (
        json.dumps(asdict(case))
        .replace("aws:CurrentTime", "aws:TokenIssueTime")
        .replace("AWS:CURRENT", "AWS:TOKENISSUE")
    )
    text = re.sub(r"\$\{[^}]*\}", "x", text)
    # It compares the text of a list where AWS wants a set operator; see the list of deviations in docs/policy.md.
    made = Case(**json.loads(re.sub(r'"(String\w+": \{"aws:TagKeys)', r'"ForAnyValue:\1', text)))
    made.policy, made.account = None, HOME
    for key, value in (
        ("aws:SourceIp", "10.1.2.3"),
        ("aws:SecureTransport", "true"),
        ("aws:TagKeys", ["team", "cost"]),
    ):
        if not given(made, key):
            made.context[key] = value
    return made
