"""What a statement is about: Action and Resource, their opposites, and NotPrincipal."""

from typing import Any

import pytest

from sts.policy import Kind, Permissions, Policy, Principal, authorize, parse, request

HOME, AWAY = "111122223333", "444455556666"
USER = Principal.user(f"arn:aws:iam::{HOME}:user/alice")
OTHER = Principal.user(f"arn:aws:iam::{HOME}:user/bob")
ROLE = f"arn:aws:iam::{HOME}:role/reader"
SESSION = Principal.role_session(ROLE, f"arn:aws:sts::{HOME}:assumed-role/reader/s", "AROAEXAMPLEEXAMPLE222")
OBJECT = "arn:aws:s3:::reports/2026/a.txt"


def policy(kind: Kind = Kind.IDENTITY, **statement: Any) -> Policy:
    return parse({"Version": "2012-10-17", "Statement": {"Effect": "Allow", **statement}}, kind, kind.value)


@pytest.mark.parametrize(
    "statement, action, resource, allowed",
    [
        pytest.param({"Action": "s3:Get*", "Resource": "*"}, "s3:GetObject", OBJECT, True, id="an action's beginning"),
        pytest.param({"Action": "S3:getobject", "Resource": "*"}, "s3:GetObject", OBJECT, True, id="in other letters"),
        pytest.param({"Action": "s3:Put*", "Resource": "*"}, "s3:GetObject", OBJECT, False, id="another action"),
        pytest.param({"Action": "s3:Get?bject", "Resource": "*"}, "s3:GetObject", OBJECT, True, id="one character"),
        pytest.param({"NotAction": "s3:*", "Resource": "*"}, "s3:GetObject", OBJECT, False, id="not this service"),
        pytest.param({"NotAction": "iam:*", "Resource": "*"}, "s3:GetObject", OBJECT, True, id="any other service"),
        pytest.param({"NotAction": ["iam:*", "s3:Get*"], "Resource": "*"}, "s3:GetObject", OBJECT, False, id="none of"),
        pytest.param({"Action": "*", "Resource": "arn:aws:s3:::reports/*"}, "s3:GetObject", OBJECT, True, id="below"),
        pytest.param({"Action": "*", "Resource": "arn:aws:s3:::Reports/*"}, "s3:GetObject", OBJECT, False, id="case"),
        pytest.param({"Action": "*", "Resource": "arn:aws:s3:::reports"}, "s3:GetObject", OBJECT, False, id="bucket"),
        pytest.param({"Action": "*:*", "Resource": "*"}, "s3:GetObject", OBJECT, True, id="any action of any service"),
        pytest.param(
            {"Action": "*", "Resource": "arn:aws:s3:::${svc:bucket}/*"}, "s3:GetObject", OBJECT, True, id="variable"
        ),
        pytest.param(
            {"Action": "*", "Resource": "arn:aws:s3::${svc:account}:reports/*"},
            "s3:GetObject",
            "arn:aws:s3::1:reports/a",
            True,
            id="a variable for the account, as AWS itself writes it",
        ),
        pytest.param(
            {"Action": "*", "Resource": "arn:aws:s3:::${svc:none}*"}, "s3:GetObject", OBJECT, False, id="no such key"
        ),
        pytest.param({"Action": "*", "NotResource": OBJECT}, "s3:GetObject", OBJECT, False, id="not this object"),
        pytest.param({"Action": "*", "NotResource": f"{OBJECT}x"}, "s3:GetObject", OBJECT, True, id="any other object"),
        pytest.param(
            {"Action": "*", "NotResource": "arn:aws:s3:::reports/*"}, "s3:GetObject", OBJECT, False, id="none below"
        ),
    ],
)
def test_what_a_statement_is_about(statement: dict[str, Any], action: str, resource: str, allowed: bool) -> None:
    """Wildcards in both; case counts in resources alone."""
    permissions = Permissions(identity=(policy(**statement),))
    known = {"svc:bucket": "reports", "svc:account": "1"}
    assert allowed is authorize(request(action, resource, USER, known), permissions).allowed


@pytest.mark.parametrize(
    "exempt, caller, allowed",
    [
        pytest.param([USER.arn, HOME], USER, True, id="the user and its account"),
        pytest.param([USER.arn, f"arn:aws:iam::{HOME}:root"], USER, True, id="the account by its root's ARN"),
        pytest.param([USER.arn], USER, False, id="the user without its account"),
        pytest.param([USER.arn, HOME], OTHER, False, id="another user"),
        pytest.param([ROLE, SESSION.arn, HOME], SESSION, True, id="the role, its session and the account"),
        pytest.param([SESSION.unique_id, SESSION.arn, HOME], SESSION, True, id="the role by its id"),
        pytest.param([ROLE, HOME], SESSION, False, id="the role without its session"),
        pytest.param([SESSION.arn, HOME], SESSION, False, id="the session without its role"),
        pytest.param([ROLE, SESSION.arn], SESSION, False, id="role and session without the account"),
        pytest.param([HOME], USER, False, id="the account alone"),
        pytest.param([HOME], Principal.root(HOME), True, id="the account is its root user"),
        pytest.param([AWAY], Principal.root(HOME), False, id="another account's root user"),
        pytest.param("*", USER, True, id="everyone"),
    ],
)
def test_who_is_exempt_from_a_deny(exempt: str | list[str], caller: Principal, allowed: bool) -> None:
    """NotPrincipal with Deny, in a bucket's policy: everybody but those who are named whole."""
    bucket = policy(Kind.RESOURCE, Effect="Deny", NotPrincipal={"AWS": exempt}, Action="*", Resource="*")
    permissions = Permissions(identity=(policy(Action="*", Resource="*"),))
    asked = request("s3:GetObject", OBJECT, caller)
    decision = authorize(asked, permissions, resource_policy=bucket, resource_account=HOME)
    assert allowed is decision.allowed
    assert allowed or f"NotPrincipal does not list {caller.arn} with its account and role" in decision.reason


def test_nobody_with_a_boundary_is_exempt() -> None:
    """As AWS has it: a NotPrincipal with Deny holds for everybody who has a boundary."""
    named = {"AWS": [USER.arn, HOME]}
    bucket = policy(Kind.RESOURCE, Effect="Deny", NotPrincipal=named, Action="*", Resource="*")
    everything = policy(Action="*", Resource="*")
    bounded = Permissions(identity=(everything,), boundary=policy(Kind.BOUNDARY, Action="*", Resource="*"))
    asked = request("s3:GetObject", OBJECT, USER)
    assert not authorize(asked, bounded, resource_policy=bucket, resource_account=HOME).allowed


def test_a_boundary_allows_nothing_itself() -> None:
    """It limits what identity policies give; alone it gives nothing."""
    boundary = policy(Kind.BOUNDARY, Action="s3:*", Resource="*")
    asked = request("s3:GetObject", OBJECT, USER)
    assert not authorize(asked, Permissions(boundary=boundary)).allowed
    assert authorize(asked, Permissions(identity=(policy(Action="*", Resource="*"),), boundary=boundary)).allowed
    assert not authorize(
        request("iam:ListUsers", "*", USER),
        Permissions(identity=(policy(Action="*", Resource="*"),), boundary=boundary),
    ).allowed
