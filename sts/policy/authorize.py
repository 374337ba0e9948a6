"""The decision on a request from all policies that have a say: IAM's evaluation logic in one place.

Any Deny anywhere decides. Otherwise the caller's own policies allow (identity, within boundary and session
policies), or the resource's policy does; who needs both, and which limits then hold, is the table below. A role's
trust policy is a resource policy that must always allow.

    resource policy names       same account                              other account
    the session itself          enough                                    and identity, boundary, session
    its role                    and boundary, session                     and identity, boundary, session
    a user, or everyone         enough                                    and identity, boundary, session
    its account                 and identity, boundary, session           and identity, boundary, session
"""

from collections.abc import Sequence

import msgspec

from sts.policy.evaluate import Outcome, evaluate, nearest
from sts.policy.model import Decision, Grant, Policy, PrincipalKind, Request


class Permissions(msgspec.Struct, frozen=True):
    """The caller's own policies.

    Attributes:
        identity: Inline and attached ones, of a user those of its groups too.
        boundary: The permissions boundary, if there is one.
        session: The session policies that were passed when the session began; None where none was.
    """

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None


NOTHING = Permissions()


def authorize(
    request: Request,
    permissions: Permissions = NOTHING,
    *,
    resource_policy: Policy | None = None,
    resource_account: str = "",
) -> Decision:
    """Whether the caller may do what it asks.

    `resource_account` is the account that owns the resource; empty means the caller's own.
    """
    resource = evaluate([] if resource_policy is None else [resource_policy], request)
    if resource.denied:
        return _denied(resource)
    foreign = resource_account not in {"", request.principal.account}
    if request.principal.kind in {PrincipalKind.ANONYMOUS, PrincipalKind.SERVICE, PrincipalKind.WEB_IDENTITY}:
        return _by_resource_alone(request, resource, resource_policy)
    layers = _layers(request, permissions)
    for outcome, _, _ in layers:
        if outcome.denied:
            return _denied(outcome)
    if foreign and resource.grant is Grant.NONE:
        return nearest([resource_policy] if resource_policy else [], request, f"account {resource_account}'s policy")
    skipped = 0 if foreign else _excused(resource.grant)
    for outcome, policies, what in layers[skipped:]:
        if outcome.grant is Grant.NONE:
            return nearest(policies, request, what)
    return _allowed(resource if skipped else layers[0][0])


def trusts(trust: Policy, request: Request) -> Decision:
    """Whether a trust policy alone lets the caller in: all that counts for a web identity, or for a service."""
    outcome = evaluate([trust], request)
    if outcome.denied:
        return _denied(outcome)
    if outcome.grant is Grant.NONE:
        return nearest([trust], request, "the trust policy")
    return _allowed(outcome)


def assumes(trust: Policy, request: Request, permissions: Permissions, *, role_account: str) -> Decision:
    """Whether a user or role session may do `sts:AssumeRole` (or TagSession, SetSourceIdentity) on a role.

    The trust policy must always allow, and its way of naming the caller decides whether the caller's policies must
    too.
    """
    trusted = trusts(trust, request)
    if not trusted.allowed:
        return trusted
    return authorize(request, permissions, resource_policy=trust, resource_account=role_account)


_Layer = tuple[Outcome, Sequence[Policy], str]


def _layers(request: Request, permissions: Permissions) -> list[_Layer]:
    """Identity first, then what limits it; the order that `_excused` counts in."""
    if request.principal.kind is PrincipalKind.ROOT:
        return [
            (Outcome(denied=False, grant=Grant.DIRECT, policy="root", statement="owner of the account"), [], "root")
        ]
    layers: list[_Layer] = [(evaluate(permissions.identity, request), permissions.identity, "a policy of the caller")]
    if permissions.boundary is not None:
        boundary = [permissions.boundary]
        layers.append((evaluate(boundary, request), boundary, "the permissions boundary"))
    if permissions.session is not None:
        layers.append((evaluate(permissions.session, request), permissions.session, "the session policy"))
    return layers


def _excused(grant: Grant) -> int:
    """How many layers, from the first, a resource policy of the same account makes unnecessary."""
    return {Grant.NONE: 0, Grant.ACCOUNT: 0, Grant.ISSUER: 1, Grant.DIRECT: 3}[grant]


def _by_resource_alone(request: Request, outcome: Outcome, policy: Policy | None) -> Decision:
    if outcome.grant is Grant.NONE:
        return nearest([policy] if policy else [], request, "the resource's policy")
    return _allowed(outcome)


def _allowed(outcome: Outcome) -> Decision:
    return Decision(
        allowed=True,
        explicit_deny=False,
        reason=f"{outcome.policy} {outcome.statement} allows it",
        policy=outcome.policy,
        statement=outcome.statement,
    )


def _denied(outcome: Outcome) -> Decision:
    return Decision(
        allowed=False,
        explicit_deny=True,
        reason=f"{outcome.policy} {outcome.statement} denies it",
        policy=outcome.policy,
        statement=outcome.statement,
    )
