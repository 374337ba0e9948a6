"""One request against policies of one kind: which statement denies, which allows, and, if none, which came nearest.

The answer is found without a word of explanation, since nearly every request is allowed; `nearest` explains afterwards,
only where there is something to explain.
"""

from collections.abc import Iterable

import msgspec

from sts.policy.model import Condition, Decision, Grant, Kind, Policy, Request, Statement


class Outcome(msgspec.Struct, frozen=True):
    """What policies say of a request: the statement that denies it, or the one that grants it most strongly."""

    denied: bool
    grant: Grant
    policy: Policy | None = None
    statement: Statement | None = None


SILENT = Outcome(denied=False, grant=Grant.NONE)


def evaluate(policies: Iterable[Policy], request: Request, *, bounded: bool = False) -> Outcome:
    """The outcome: the first Deny that applies, else the strongest Allow, else `SILENT`.

    `bounded` says that the caller has a permissions boundary: NotPrincipal then exempts it from no Deny, as AWS has it.
    """
    best = SILENT
    for policy in policies:
        for statement in policy.statements:
            grant = applies(statement, request, bounded=bounded)
            if grant is Grant.NONE:
                continue
            if not statement.allows:
                return Outcome(denied=True, grant=Grant.NONE, policy=policy, statement=statement)
            if best is SILENT or grant.value > best.grant.value:  # as a rule the first: an enum's value is a call
                best = Outcome(denied=False, grant=grant, policy=policy, statement=statement)
    return best


def applies(statement: Statement, request: Request, *, bounded: bool = False) -> Grant:
    """How the statement speaks of this request's caller; NONE where it does not speak of the request at all."""
    if not statement.action(request.action):
        return Grant.NONE
    context = request.context
    if statement.resource is not None and not statement.resource(request.resource, context):
        return Grant.NONE
    if statement.principal is None or (bounded and statement.exempting):
        grant = Grant.DIRECT
    else:
        grant = statement.principal(request.principal)
    if grant is not Grant.NONE:
        for condition in statement.conditions:
            if not condition.holds(context):
                return Grant.NONE
    return grant


def decided(outcome: Outcome, kind: Kind, request: Request) -> Decision:
    """The decision of a statement that allows or denies, with the conditions that the request met there."""
    policy, statement = outcome.policy, outcome.statement
    if policy is None or statement is None:
        return Decision(
            allowed=not outcome.denied, explicit_deny=outcome.denied, reason="the account's owner", kind=kind
        )
    verb = "denies" if outcome.denied else "allows"
    reason = f"{policy.name} {statement.label} {verb} it"
    if outcome.denied and statement.exempting:
        reason += f": NotPrincipal does not list {request.principal.arn} with its account and role"
    if not statement.conditions:
        return Decision(not outcome.denied, outcome.denied, reason, policy.name, statement.label, kind=kind)
    if outcome.denied:
        reason += ": " + " and ".join(_seen(condition, request) for condition in statement.conditions)
    first = statement.conditions[0]
    return Decision(
        allowed=not outcome.denied,
        explicit_deny=outcome.denied,
        reason=reason,
        policy=policy.name,
        statement=statement.label,
        operator=first.operator,
        key=first.key,
        expected=first.expected,
        seen=request.context.get(first.key.lower(), ()),
        kind=kind,
    )


def nearest(policies: Iterable[Policy], request: Request, what: str, kind: Kind) -> Decision:
    """Why none of the policies allows the request: what failed in the Allow statement that came nearest.

    `what` says whose policies these are, such as `the trust policy`, and `kind` what they are attached to.
    """
    best: tuple[int, Decision] = (-1, Decision(allowed=False, explicit_deny=False, reason=f"{what} does not exist"))
    for policy in policies:
        if best[0] < 0:
            best = (0, Decision(allowed=False, explicit_deny=False, reason=f"{what} has no Allow", policy=policy.name))
        for statement in policy.statements:
            if statement.allows:
                best = max(best, _missed(policy, statement, request), key=lambda scored: scored[0])
    return msgspec.structs.replace(best[1], kind=kind)


def _missed(policy: Policy, statement: Statement, request: Request) -> tuple[int, Decision]:
    """How far the request came in a statement, and the first element that it did not meet."""
    if not statement.action(request.action):
        return 1, _decision(policy, statement, f"Action does not include {request.action}")
    if statement.resource is not None and not statement.resource(request.resource, request.context):
        return 2, _decision(policy, statement, f"Resource does not include {request.resource}")
    if statement.principal is not None and statement.principal(request.principal) is Grant.NONE:
        return 3, _decision(policy, statement, f"Principal does not include {request.principal.arn}")
    failed = [condition for condition in statement.conditions if not condition.holds(request.context)]
    if not failed:  # met whole, but the grant was too weak for the caller's rules
        return 5, _decision(policy, statement, "it allows the request")
    return 4, condition_failed(policy, statement, failed[0], request)


def condition_failed(policy: Policy, statement: Statement, failed: Condition, request: Request) -> Decision:
    """The refusal by one condition, with what was expected and what was seen."""
    return _decision(
        policy,
        statement,
        _seen(failed, request),
        operator=failed.operator,
        key=failed.key,
        expected=failed.expected,
        seen=request.context.get(failed.key.lower(), ()),
    )


def _seen(condition: Condition, request: Request) -> str:
    """A condition beside what the request has for it."""
    seen = request.context.get(condition.key.lower(), ())
    has = f"is {_listed(seen)}" if seen else "is not in the request"
    return f"{condition.operator} {condition.key} wants {_listed(condition.expected)}, it {has}"


def _decision(
    policy: Policy,
    statement: Statement,
    why: str,
    *,
    operator: str = "",
    key: str = "",
    expected: tuple[str, ...] = (),
    seen: tuple[str, ...] = (),
) -> Decision:
    return Decision(
        allowed=False,
        explicit_deny=False,
        reason=f"{policy.name} {statement.label}: {why}",
        policy=policy.name,
        statement=statement.label,
        operator=operator,
        key=key,
        expected=expected,
        seen=seen,
    )


def _listed(values: tuple[str, ...]) -> str:
    shown = " or ".join(repr(value) for value in values[:3])
    return f"{shown} or {len(values) - 3} more" if len(values) > 3 else shown  # noqa: PLR2004 -- what a log line can bear
