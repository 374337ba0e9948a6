"""AssumeRole: a user or a session for credentials of a role, in its own account or another.

The trust policy must allow each right that the call needs: `sts:AssumeRole`; `sts:TagSession` where the new session
has tags, its own or inherited ones; `sts:SetSourceIdentity` where it has a source identity. Whether the caller's own
policies must allow them too depends on how the trust policy names the caller, and across accounts they always must.
"""

import re
from collections.abc import Iterator
from typing import Final

from sts import circumstances, constraints, refusals, scope
from sts.accounts import Role
from sts.actions import second_factor
from sts.actions.answer import Answer, Call, assumed_role_user, issued
from sts.callers import Caller
from sts.circumstances import Context
from sts.policy import assumes, request

_SHAPES: Final = {
    "RoleArn": constraints.ROLE_ARN,
    "RoleSessionName": constraints.SESSION_NAME,
    "Policy": constraints.UNRESTRICTED_POLICY,
    "ExternalId": constraints.EXTERNAL_ID,
    "SerialNumber": constraints.SERIAL_NUMBER,
    "TokenCode": constraints.TOKEN_CODE,
    "SourceIdentity": constraints.SOURCE_IDENTITY,
}
NUMBERS: Final = {"DurationSeconds": range(900, 43201), "MinimumSessionTokenSize": constraints.TOKEN_SIZE}
DEFAULT_SECONDS: Final = 3600
CHAINED_SECONDS: Final = 3600
ROLE_ARN: Final = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/[\x21-\x7e]+", re.ASCII)


def assume_role(call: Call, caller: Caller) -> Answer:
    """Decide on the call of `caller`.

    Raises:
        Refused: with AWS's code for the first thing that is wrong.
    """
    given = call.given
    asked, problems = scope.asked(given)
    numbers = constraints.check(given, _SHAPES, NUMBERS, problems)
    duration = numbers.get("DurationSeconds")
    if not ROLE_ARN.fullmatch(given["RoleArn"]):
        raise refusals.invalid(f"{given['RoleArn']} is invalid")
    if caller.is_root:
        raise refusals.Refused("AccessDenied", 403, "Roles may not be assumed by root accounts.")
    if "ProvidedContexts.member.1.ProviderArn" in given:
        raise refusals.Refused("ValidationError", 400, "ProvidedContexts are not provided by this STS.")
    passed = scope.chained(asked, caller.scope)
    identity = _source_identity(given.get("SourceIdentity", ""), caller)
    context = _context(call, caller, passed, identity, duration)
    role = _permitted_role(given["RoleArn"], call, caller, context)
    seconds = _seconds(duration, role, caller)
    packed, percent = scope.pack(passed)
    scope.policies(passed, call.accounts, role.account)
    session = call.session(
        account=role.account,
        principal=role.arn,
        principal_id=role.unique_id,
        name=given["RoleSessionName"],
        seconds=seconds,
        source_identity=identity,
        scope=packed,
    )
    return Answer(
        {
            "AssumedRoleUser": assumed_role_user(role, session.name),
            **call.credentials(session, numbers),
            "PackedPolicySize": None if percent is None else str(percent),
            "SourceIdentity": identity or None,
        },
        {**issued(session), **({"tags": sorted(passed.tags)} if passed.tags else {})},
    )


def _source_identity(asked: str, caller: Caller) -> str:
    """The new session's source identity: once set, it stays."""
    if asked.lower().startswith("aws:"):
        raise refusals.invalid("SourceIdentity may not begin with aws:")
    present = caller.session.source_identity if caller.session else ""
    if present and asked not in {"", present}:
        raise refusals.invalid("The source identity is already set for this assume role session")
    return present or asked


def _context(call: Call, caller: Caller, passed: scope.Scope, identity: str, duration: int | None) -> Context:
    context = {
        **call.surroundings,
        **circumstances.of_caller(caller),
        **circumstances.of_tags(passed.tags, passed.transitive),
        "sts:RoleSessionName": call.given["RoleSessionName"],
        "sts:DurationSeconds": str(duration or DEFAULT_SECONDS),
    }
    if external := call.given.get("ExternalId"):
        context["sts:ExternalId"] = external
    if identity:
        context["sts:SourceIdentity"] = identity
    if second_factor.shown(call, caller):
        context["aws:MultiFactorAuthPresent"] = "true"
        context["aws:MultiFactorAuthAge"] = "0"
    return context


def _permitted_role(arn: str, call: Call, caller: Caller, context: Context) -> Role:
    role = call.accounts.roles.get(arn)
    if role is None:
        raise refusals.denied(caller.arn, "sts:AssumeRole", arn, "no such role")
    context["aws:ResourceAccount"] = role.account
    context |= {f"aws:ResourceTag/{key}": value for key, value in role.tags.items()}
    context |= {f"iam:ResourceTag/{key}": value for key, value in role.tags.items()}
    for action in _rights(context):
        decision = assumes(
            role.trust, request(action, arn, caller.principal, context), caller.permissions, role_account=role.account
        )
        if not decision.allowed:
            raise refusals.denied(caller.arn, action, arn, decision.reason)
    return role


def _rights(context: Context) -> Iterator[str]:
    """The rights that a call needs."""
    yield "sts:AssumeRole"
    if "aws:TagKeys" in context:
        yield "sts:TagSession"
    if "sts:SourceIdentity" in context:
        yield "sts:SetSourceIdentity"


def _seconds(duration: int | None, role: Role, caller: Caller) -> int:
    seconds = duration or DEFAULT_SECONDS
    if seconds > role.max_session_duration:
        raise refusals.invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if caller.is_role and seconds > CHAINED_SECONDS:
        raise refusals.invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    return seconds
