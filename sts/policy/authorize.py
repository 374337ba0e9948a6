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
from typing import Final, TypeAlias

import msgspec

from sts.policy.evaluate import SILENT, Outcome, decided, evaluate, nearest
from sts.policy.model import Decision, Grant, Kind, Policy, PrincipalKind, Request


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
    resource, layers = _evaluated(request, permissions, resource_policy)
    if denied := _first_denied(resource, layers):
        return decided(*denied, request)
    foreign = resource_account not in {"", request.principal.account}
    if resource.grant is Grant.NONE and (foreign or not layers):
        owner = f"account {resource_account}" if foreign else "the resource"
        policies = [resource_policy] if resource_policy else []
        return nearest(policies, request, f"the policy of {owner}", Kind.RESOURCE)
    return _within(layers, request, resource, skipped=0 if foreign else _excused(resource.grant))


def trusts(trust: Policy, request: Request) -> Decision:
    """Whether a trust policy alone lets the caller in: all that counts for a web identity, or for a service."""
    return assumes(trust, request, NOTHING, role_account=request.principal.account)


def assumes(trust: Policy, request: Request, permissions: Permissions, *, role_account: str) -> Decision:
    """Whether a caller may do `sts:AssumeRole` (or TagSession, SetSourceIdentity) on a role.

    The trust policy must always allow, and its way of naming the caller decides whether the caller's policies must too.
    """
    resource, layers = _evaluated(request, permissions, trust)
    if denied := _first_denied(resource, layers):
        return decided(*denied, request)
    if resource.grant is Grant.NONE:
        return nearest([trust], request, "the trust policy", Kind.TRUST)
    foreign = role_account != request.principal.account
    return _within(layers, request, resource, skipped=0 if foreign else _excused(resource.grant))


_Layer: TypeAlias = tuple[Outcome, Sequence[Policy], Kind]
_WHOSE: Final = {
    Kind.IDENTITY: "a policy of the caller",
    Kind.BOUNDARY: "the permissions boundary",
    Kind.SESSION: "the session policy",
}
_WITHOUT_POLICIES: Final = frozenset({PrincipalKind.ANONYMOUS, PrincipalKind.SERVICE, PrincipalKind.WEB_IDENTITY})
_EXCUSED: Final = {Grant.NONE: 0, Grant.ACCOUNT: 0, Grant.ISSUER: 1, Grant.DIRECT: 3}
_OWNER: Final = Outcome(denied=False, grant=Grant.DIRECT)


def _evaluated(request: Request, permissions: Permissions, policy: Policy | None) -> tuple[Outcome, list[_Layer]]:
    """The outcome of the resource's policy, and of each layer of the caller's own."""
    bounded = permissions.boundary is not None
    resource = SILENT if policy is None else evaluate([policy], request, bounded=bounded)
    return resource, _layers(request, permissions)


def _layers(request: Request, permissions: Permissions) -> list[_Layer]:
    """Identity first, then what limits it, in the order that `_excused` counts in; nothing for who has no policies."""
    if request.principal.kind in _WITHOUT_POLICIES:
        return []
    if request.principal.kind is PrincipalKind.ROOT:
        return [(_OWNER, [], Kind.IDENTITY)]
    layers: list[_Layer] = [(evaluate(permissions.identity, request), permissions.identity, Kind.IDENTITY)]
    if permissions.boundary is not None:
        boundary = [permissions.boundary]
        layers.append((evaluate(boundary, request), boundary, Kind.BOUNDARY))
    if permissions.session is not None:
        layers.append((evaluate(permissions.session, request), permissions.session, Kind.SESSION))
    return layers


def _first_denied(resource: Outcome, layers: list[_Layer]) -> tuple[Outcome, Kind] | None:
    if resource.denied and resource.policy is not None:
        return resource, resource.policy.kind
    return next(((outcome, kind) for outcome, _, kind in layers if outcome.denied), None)


def _within(layers: list[_Layer], request: Request, resource: Outcome, *, skipped: int) -> Decision:
    """The decision after every Deny: each layer that the resource's policy does not excuse must allow."""
    for outcome, policies, kind in layers[skipped:]:
        if outcome.grant is Grant.NONE:
            return nearest(policies, request, _WHOSE[kind], kind)
    if (skipped or not layers) and resource.policy is not None:
        return decided(resource, resource.policy.kind, request)
    return decided(layers[0][0], Kind.IDENTITY, request)


def _excused(grant: Grant) -> int:
    """How many layers, from the first, a resource policy of the same account makes unnecessary."""
    return _EXCUSED[grant]
