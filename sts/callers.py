"""Who signed a request: access key and signature in, `Caller` out.

The order is AWS's: the key id and the session token first, then the session's end, then the signature. What a role or
user may do is read from the account file at each request, so a changed policy holds at once; a role that was made anew
has another unique id, and the old one's sessions end.
"""

from collections.abc import Mapping

import msgspec

from sts import refusals, scope, sigv4
from sts.accounts import Accounts, Role, Root, User
from sts.credentials import SealBroken, SealingKeys, Session
from sts.policy import Permissions, Principal, PrincipalKind


class Caller(msgspec.Struct, frozen=True, gc=False):
    """A verified caller.

    Attributes:
        user_id: what `GetCallerIdentity` shows as UserId.
        tags: of the role or user, and over them those of the session.
        user_name: empty for a role.
        session: None for a long-lived key.
        mfa_age: seconds since the session's MFA code was given, None where none was.
    """

    principal: Principal
    user_id: str
    permissions: Permissions
    tags: Mapping[str, str]
    user_name: str = ""
    session: Session | None = None
    mfa_age: int | None = None

    @property
    def arn(self) -> str:
        """What `GetCallerIdentity` shows."""
        return self.principal.arn

    @property
    def account(self) -> str:
        """The twelve digits."""
        return self.principal.account

    @property
    def is_role(self) -> bool:
        """Whether a role's session called, so that assuming another role is chaining."""
        return self.principal.kind is PrincipalKind.ROLE_SESSION

    @property
    def is_root(self) -> bool:
        """Whether the account's owner called."""
        return self.principal.kind is PrincipalKind.ROOT

    @property
    def scope(self) -> scope.Scope:
        """What limits and marks the session."""
        return scope.unpack(self.session.scope) if self.session else scope.NOTHING


def authenticate(
    request: sigv4.HttpRequest,
    *,
    service: str,
    accounts: Accounts,
    sealing: SealingKeys,
    now: float,
    signature: sigv4.Signature | None = None,
) -> Caller:
    """The caller that signed `request` for `service`; `signature` is what it says of itself, where that was read.

    Raises:
        Refused: there is no signature, or it is not to be believed.
    """
    signature = signature or sigv4.parse(request)
    if signature is None:
        raise refusals.unauthenticated()
    caller, secret = _known(signature, accounts, sealing, now)
    sigv4.verify(request, signature, service=service, secret=secret, now=now)
    return caller


def _known(signature: sigv4.Signature, accounts: Accounts, sealing: SealingKeys, now: float) -> tuple[Caller, str]:
    """Who the key id belongs to, and the secret that its signature needs."""
    if signature.session_token:
        try:
            session = sealing.open(signature.session_token, signature.access_key_id)
        except SealBroken as problem:
            raise refusals.unknown_credentials(f"session token: {problem}") from problem
        if session.expires <= now:
            raise refusals.session_over(f"the session ended {int(now - session.expires)} s ago")
        holder = _holder(session, accounts)
        if session.mfa:
            holder = msgspec.structs.replace(holder, mfa_age=int(now) - session.issued)
        return holder, session.secret
    key = accounts.access_keys.get(signature.access_key_id)
    if key is None:
        raise refusals.unknown_credentials(f"no access key {signature.access_key_id[:32]!r}, and no session token came")
    return _owner(key.owner), key.secret


def _holder(session: Session, accounts: Accounts) -> Caller:
    """Who holds a session, as the account file has its role or user now."""
    if session.name:
        role = accounts.roles.get(session.principal)
        if role is not None and role.unique_id == session.principal_id:
            return _role(role, session, accounts)
    elif (user := accounts.users.get(session.principal)) is not None and user.unique_id == session.principal_id:
        return _owner(user, session)
    elif session.principal_id == session.account and session.account in accounts.ids:
        return _owner(Root(session.account, session.principal), session)
    raise refusals.unknown_credentials(f"the session's {session.principal} is no more")


def _role(role: Role, session: Session, accounts: Accounts) -> Caller:
    own, passed = role.permissions, scope.unpack(session.scope)
    limits = scope.policies(passed, accounts, role.account)
    return Caller(
        principal=Principal.role_session(role.arn, role.session_arn(session.name), role.unique_id),
        user_id=f"{role.unique_id}:{session.name}",
        permissions=own if limits is None else Permissions(own.identity, own.boundary, limits),
        tags={**role.tags, **passed.tags} if passed.tags else role.tags,
        session=session,
    )


def _owner(owner: User | Root, session: Session | None = None) -> Caller:
    if isinstance(owner, Root):
        return Caller(
            Principal.root(owner.account, owner.arn.split(":", 2)[1]), owner.account, Permissions(), {}, "", session
        )
    principal = Principal.user(owner.arn, owner.unique_id)
    return Caller(principal, owner.unique_id, owner.permissions, owner.tags, owner.name, session)
