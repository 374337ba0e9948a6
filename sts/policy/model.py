"""The values that a decision is made of: who asks for what, by which policies, and what came out.

All of them are frozen and cannot be wrong: a `Policy` comes only from `parse`, which refuses what it does not
understand; a `Principal` only from its constructors, one for each kind that AWS knows.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Self

import msgspec

from sts.policy.variables import Context


class Kind(Enum):
    """What a policy is attached to; it decides which elements the document must and may not have."""

    TRUST = "trust"
    IDENTITY = "identity"
    RESOURCE = "resource"
    SESSION = "session"
    BOUNDARY = "boundary"

    @property
    def names_principals(self) -> bool:
        """Trust and resource policies say whom they are for; the others are for whoever they are attached to."""
        return self in {Kind.TRUST, Kind.RESOURCE}


class PrincipalKind(Enum):
    """The kinds of caller that AWS tells apart."""

    __hash__ = object.__hash__  # in C; Enum's own costs as much as the look-ups that it is for

    USER = "user"
    ROLE_SESSION = "assumed role"
    WEB_IDENTITY = "web identity"
    FEDERATED_USER = "federated user"
    ROOT = "root"
    SERVICE = "service"
    ANONYMOUS = "anonymous"


class Principal(msgspec.Struct, frozen=True):
    """Who asks.

    Attributes:
        kind: The kind of caller.
        account: The twelve digits; for a web identity those of its provider; empty for a service and for nobody.
        arn: What `GetCallerIdentity` shows; for a web identity the provider's ARN (or bare name), for a service its
            name.
        issuer: Of a role session the role's ARN (path and all), of a federated user the user's; otherwise equal to
            `arn`.
        unique_id: The AIDA…/AROA… id of user or role, which a policy may name instead of the ARN; empty where
            unknown.
    """

    kind: PrincipalKind
    account: str
    arn: str
    issuer: str
    unique_id: str = ""

    @classmethod
    def user(cls, arn: str, unique_id: str = "") -> Self:
        """An IAM user, by its ARN with the path."""
        return cls(PrincipalKind.USER, account_of(arn), arn, arn, unique_id)

    @classmethod
    def role_session(cls, role_arn: str, session_arn: str, unique_id: str = "") -> Self:
        """A session of a role: `arn:aws:iam::…:role/path/name` and `arn:aws:sts::…:assumed-role/name/session`."""
        return cls(PrincipalKind.ROLE_SESSION, account_of(session_arn), session_arn, role_arn, unique_id)

    @classmethod
    def web_identity(cls, provider_arn: str) -> Self:
        """The bearer of a token of an OIDC provider."""
        return cls(PrincipalKind.WEB_IDENTITY, account_of(provider_arn), provider_arn, provider_arn)

    @classmethod
    def federated_user(cls, arn: str, user_arn: str) -> Self:
        """Who holds the credentials that GetFederationToken gave to a user."""
        return cls(PrincipalKind.FEDERATED_USER, account_of(arn), arn, user_arn)

    @classmethod
    def root(cls, account: str, partition: str = "aws") -> Self:
        """The owner of an account."""
        arn = f"arn:{partition}:iam::{account}:root"
        return cls(PrincipalKind.ROOT, account, arn, arn)

    @classmethod
    def service(cls, name: str) -> Self:
        """An AWS service, such as `ec2.amazonaws.com`."""
        return cls(PrincipalKind.SERVICE, "", name, name)

    @classmethod
    def anonymous(cls) -> Self:
        """Nobody: an unsigned request."""
        return cls(PrincipalKind.ANONYMOUS, "", "*", "*")


def account_of(arn: str) -> str:
    """The account in an ARN, empty where it has none (or where the text is no ARN)."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 5 else ""  # noqa: PLR2004 -- arn:partition:service:region:account:resource


class Request(msgspec.Struct, frozen=True):
    """What is asked: `sts:AssumeRole` on an ARN, by someone, with what is known about it (see `request`)."""

    action: str
    resource: str
    principal: Principal
    context: Context


def request(
    action: str, resource: str, principal: Principal, context: Mapping[str, str | Iterable[str]] | None = None
) -> Request:
    """A request whose context keys ignore case; keys that the principal itself decides are filled in where absent.

    Values are texts as AWS has them (`true`, `3600`, `2026-11-24T00:00:00Z`); several of one key are given as an
    iterable.
    """
    filled = _principal_keys(principal)
    if context:
        filled |= {key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in context.items()}
    return Request(action, resource, principal, filled)


def _principal_keys(principal: Principal) -> dict[str, tuple[str, ...]]:
    """The `aws:Principal…` keys (lower case) that follow from who asks."""
    if principal.kind in {PrincipalKind.ANONYMOUS, PrincipalKind.WEB_IDENTITY}:
        return {}
    if principal.kind is PrincipalKind.SERVICE:
        return {"aws:principalisawsservice": ("true",), "aws:principalservicename": (principal.arn,)}
    return {
        "aws:principalarn": (principal.issuer,),
        "aws:principalaccount": (principal.account,),
        "aws:principaltype": (_TYPES[principal.kind],),
        "aws:principalisawsservice": ("false",),
    }


_TYPES = {
    PrincipalKind.USER: "User",
    PrincipalKind.ROLE_SESSION: "AssumedRole",
    PrincipalKind.FEDERATED_USER: "FederatedUser",
    PrincipalKind.ROOT: "Account",
}


class Grant(Enum):
    """How a statement's principal element names the caller: it decides what else must allow the request."""

    __hash__ = object.__hash__  # as PrincipalKind's

    NONE = 0
    ACCOUNT = 1  # its account: the account's own policies decide further
    ISSUER = 2  # the role of its session (or the user of its federation)
    DIRECT = 3  # exactly it, or everyone


class Condition(msgspec.Struct, frozen=True):
    """One key under one operator: `holds(context)` tells whether this request meets it."""

    operator: str
    key: str
    expected: tuple[str, ...]
    holds: Callable[[Context], bool]


class Statement(msgspec.Struct, frozen=True):
    """One statement, its elements compiled to functions; an element that the document lacks is None.

    `exempting` says that its principal element is a NotPrincipal.
    """

    label: str
    allows: bool
    action: Callable[[str], bool]
    resource: Callable[[str, Context], bool] | None
    principal: Callable[[Principal], Grant] | None
    exempting: bool
    conditions: tuple[Condition, ...]


class Policy(msgspec.Struct, frozen=True):
    """A document that was understood whole."""

    name: str
    kind: Kind
    version: str
    statements: tuple[Statement, ...]


class Decision(msgspec.Struct, frozen=True):
    """What came out, and why.

    Attributes:
        allowed: Whether the request may go on.
        explicit_deny: Whether a Deny statement decided.
        kind: What the policy is attached to that decided, or that should have allowed.
        reason: One sentence for a log line; never for the client, who gets AWS's words.
        policy: The policy that decided, or that came nearest to allow.
        statement: Its statement: `Sid` where it has one, else `Statement[index]`.
        operator: The operator that decided or failed, such as `StringEquals`.
        key: The condition key.
        expected: What the statement asks for.
        seen: What the request had; empty where it had nothing.
    """

    allowed: bool
    explicit_deny: bool
    reason: str
    policy: str = ""
    statement: str = ""
    operator: str = ""
    key: str = ""
    expected: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    kind: Kind = Kind.IDENTITY
