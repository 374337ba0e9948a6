"""Which policies must allow a request: each row of the table in docs/policy.md, boundaries and denials across it."""

from typing import Any

import pytest

from sts.policy import Kind, Permissions, Policy, PolicyError, Principal, assumes, authorize, parse, request

HOME, AWAY = "111122223333", "444455556666"
USER = Principal.user(f"arn:aws:iam::{HOME}:user/alice", "AIDAEXAMPLEEXAMPLE123")
ROLE = f"arn:aws:iam::{HOME}:role/team/reader"
SESSION = Principal.role_session(ROLE, f"arn:aws:sts::{HOME}:assumed-role/reader/s")
ROOT = Principal.root(HOME)


def policy(kind: Kind, effect: str = "Allow", principal: Any = None, **changed: Any) -> Policy:
    statement: dict[str, Any] = {"Effect": effect, "Action": "*"} | changed
    if kind is not Kind.TRUST:
        statement["Resource"] = "*"
    if principal is not None:
        statement["Principal"] = principal
    return parse({"Version": "2012-10-17", "Statement": statement}, kind, kind.value)


YES = policy(Kind.IDENTITY)
SILENT = policy(Kind.IDENTITY, Action="none:*")
DENY = policy(Kind.IDENTITY, "Deny")


@pytest.mark.parametrize(
    "caller, named, owner, needs",
    [
        pytest.param(USER, None, HOME, "ibs", id="nobody, same account"),
        pytest.param(USER, HOME, HOME, "ibs", id="account, same account"),
        pytest.param(USER, USER.arn, HOME, "", id="user, same account"),
        pytest.param(USER, USER.unique_id, HOME, "", id="user by id, same account"),
        pytest.param(USER, "*", HOME, "", id="everyone, same account"),
        pytest.param(SESSION, ROLE, HOME, "bs", id="role, same account"),
        pytest.param(SESSION, SESSION.arn, HOME, "", id="session, same account"),
        pytest.param(USER, USER.arn, AWAY, "ibs", id="user, other account"),
        pytest.param(SESSION, SESSION.arn, AWAY, "ibs", id="session, other account"),
        pytest.param(SESSION, "*", AWAY, "ibs", id="everyone, other account"),
        pytest.param(USER, f"arn:aws:iam::{HOME}:root", AWAY, "ibs", id="account, other account"),
    ],
)
def test_who_must_allow(caller: Principal, named: str | None, owner: str, needs: str) -> None:
    """Each layer that is needed refuses alone; each that is not may be silent."""
    resource = None if named is None else policy(Kind.RESOURCE, principal={"AWS": named})
    for silent in ("", "i", "b", "s"):
        permissions = Permissions(
            identity=(SILENT if silent == "i" else YES,),
            boundary=SILENT if silent == "b" else YES,
            session=(SILENT if silent == "s" else YES,),
        )
        decision = authorize(
            request("s3:GetObject", "*", caller), permissions, resource_policy=resource, resource_account=owner
        )
        assert (silent == "" or silent not in needs) is decision.allowed, (silent, decision.reason)
        if not decision.allowed:
            assert {"i": Kind.IDENTITY, "b": Kind.BOUNDARY, "s": Kind.SESSION}[silent] is decision.kind


@pytest.mark.parametrize("layer", ["identity", "boundary", "session", "resource"])
def test_a_deny_anywhere_decides(layer: str) -> None:
    """Even where the resource's policy names the session itself; the decision names the policy."""
    permissions = Permissions(
        identity=(YES, DENY) if layer == "identity" else (YES,),
        boundary=DENY if layer == "boundary" else None,
        session=(DENY,) if layer == "session" else None,
    )
    resource = policy(Kind.RESOURCE, "Deny" if layer == "resource" else "Allow", {"AWS": SESSION.arn})
    decision = authorize(request("s3:GetObject", "*", SESSION), permissions, resource_policy=resource)
    assert (False, True) == (decision.allowed, decision.explicit_deny)
    assert decision.policy == ("resource" if layer == "resource" else "identity")
    assert layer == decision.kind.value


@pytest.mark.parametrize(
    "named, owner, identity, allowed",
    [
        pytest.param(HOME, HOME, SILENT, False, id="account at home, no grant"),
        pytest.param(HOME, HOME, YES, True, id="account at home, granted"),
        pytest.param(USER.arn, HOME, SILENT, True, id="the user at home"),
        pytest.param(USER.arn, AWAY, SILENT, False, id="the user from elsewhere, no grant"),
        pytest.param(USER.arn, AWAY, YES, True, id="the user from elsewhere, granted"),
        pytest.param(AWAY, HOME, YES, False, id="not named, though granted"),
    ],
)
def test_switching_roles(named: str, owner: str, identity: Policy, allowed: bool) -> None:
    """A trust policy must always allow; whether the caller's policies must too depends on whom it names."""
    trust = policy(Kind.TRUST, principal={"AWS": named})
    asked = request("sts:AssumeRole", f"arn:aws:iam::{owner}:role/UpdateApp", USER)
    assert allowed is assumes(trust, asked, Permissions(identity=(identity,)), role_account=owner).allowed


def test_root_is_allowed_at_home_and_a_stranger_elsewhere() -> None:
    """Root needs no policy for what its account owns."""
    asked = request("s3:GetObject", "*", ROOT)
    assert authorize(asked, resource_account=HOME).allowed
    assert not authorize(asked, resource_account=AWAY).allowed


def test_nobody_is_allowed_what_is_public_only() -> None:
    """An unsigned request has the bucket's policy alone."""
    asked = request("s3:GetObject", "*", Principal.anonymous())
    assert not authorize(asked, Permissions(identity=(YES,)), resource_account=HOME).allowed
    assert authorize(asked, resource_policy=policy(Kind.RESOURCE, principal="*"), resource_account=HOME).allowed


@pytest.mark.parametrize("kind", [Kind.TRUST, Kind.RESOURCE])
def test_not_principal_with_allow_is_refused(kind: Kind) -> None:
    """It would let in everybody else."""
    with pytest.raises(PolicyError, match="NotPrincipal works with Deny in resource policies only"):
        policy(kind, NotPrincipal={"AWS": HOME})
