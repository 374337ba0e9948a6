"""Whom a role's trust policy lets in by web identity."""

from typing import Any

import pytest

from sts.policy import Kind, Policy, PolicyError, Principal, Request, parse, request, trusts

ACCOUNT = "111122223333"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example/abc"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/s3-reader"
SUB = "issuer.example/abc:sub"
AUD = "issuer.example/abc:aud"


def trust(condition: Any, **changed: Any) -> Policy:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    document = {"Version": "2012-10-17", "Statement": [statement | changed]}
    return parse(document, Kind.TRUST, "role s3-reader: trust")


def asked(subject: str = "system:serviceaccount:default:demo", provider: str = PROVIDER) -> Request:
    context = {SUB: subject, AUD: "sts.amazonaws.com"}
    return request("sts:AssumeRoleWithWebIdentity", ROLE, Principal.web_identity(provider), context)


@pytest.mark.parametrize(
    "condition, allowed",
    [
        pytest.param({"StringEquals": {SUB: "system:serviceaccount:default:demo"}}, True, id="the very subject"),
        pytest.param({"StringEquals": {SUB: "system:serviceaccount:default:other"}}, False, id="another subject"),
        pytest.param({"StringEquals": {SUB: "system:serviceaccount:default:*"}}, False, id="a star under StringEquals"),
        pytest.param({"StringLike": {SUB: "system:serviceaccount:default:*"}}, True, id="a star under StringLike"),
        pytest.param({"StringEquals": {SUB.upper(): "system:serviceaccount:default:demo"}}, True, id="key in capitals"),
        pytest.param({"StringEquals": {SUB: "SYSTEM:serviceaccount:default:demo"}}, False, id="value in capitals"),
        pytest.param({"StringEquals": {"issuer.example/ABC/x:sub": "x"}}, False, id="key that the token lacks"),
        pytest.param({}, True, id="no condition at all"),
    ],
)
def test_conditions_on_the_subject(condition: Any, allowed: bool) -> None:
    """The trust policy is met or not, exactly as written."""
    assert trusts(trust(condition), asked()).allowed is allowed


def test_a_refusal_says_what_was_expected_and_what_was_seen() -> None:
    """The log line needs the policy, the statement, the key, and both values."""
    decision = trusts(trust({"StringEquals": {SUB: "system:serviceaccount:default:other"}}, Sid="Pods"), asked())
    assert (False, False) == (decision.allowed, decision.explicit_deny)
    assert ("role s3-reader: trust", "Pods") == (decision.policy, decision.statement)
    assert ("StringEquals", SUB) == (decision.operator, decision.key)
    assert ("system:serviceaccount:default:other",) == decision.expected
    assert ("system:serviceaccount:default:demo",) == decision.seen
    assert "wants 'system:serviceaccount:default:other', it is 'system:serviceaccount:default:demo'" in decision.reason


def test_another_provider_is_not_trusted() -> None:
    """A token of an issuer that the statement does not name gets nothing."""
    decision = trusts(trust({}), asked(provider=PROVIDER + "d"))
    assert not decision.allowed
    assert "Principal does not include" in decision.reason


def test_an_unknown_operator_is_an_error_when_the_policy_is_read() -> None:
    """Ignoring it would let everybody in."""
    with pytest.raises(PolicyError, match="'StringEqual' is no condition operator") as caught:
        trust({"StringEqual": {SUB: "x"}})
    assert f"role s3-reader: trust: Statement[0].Condition.StringEqual.{SUB}" == caught.value.place


def test_who_has_policies_of_its_own_needs_them_too() -> None:
    """A trust policy that names an account leaves it to that account's policies, of which none is known here."""
    policy = trust({}, Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole")
    user = Principal.user(f"arn:aws:iam::{ACCOUNT}:user/david")
    assert not trusts(policy, request("sts:AssumeRole", ROLE, user)).allowed
