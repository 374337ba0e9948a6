"""Who signed a request: access key and signature in, `Caller` out.

The order is AWS's: the key id and the session token first, then the session's end, then the signature. What a role or
user may do is read from the account file at each request, so a changed policy holds at once; a role that was made anew
has another unique id, and the old one's sessions end.
"""

from dataclasses import dataclass

from sts import refusals, sigv4
from sts.accounts import Accounts
from sts.credentials import SealBroken, SealingKeys, Session
from sts.policy import Permissions, Principal


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller.

    Attributes:
        user_id: what `GetCallerIdentity` shows as UserId.
        session: None for a user's long-lived key.
    """

    principal: Principal
    user_id: str
    permissions: Permissions
    session: Session | None = None

    @property
    def arn(self) -> str:
        """What `GetCallerIdentity` shows."""
        return self.principal.arn

    @property
    def account(self) -> str:
        """The twelve digits."""
        return self.principal.account


def authenticate(
    request: sigv4.HttpRequest, *, service: str, accounts: Accounts, sealing: SealingKeys, now: float
) -> Caller:
    """The caller that signed `request` for `service`.

    Raises:
        Refused: there is no signature, or it is not to be believed.
    """
    signature = sigv4.parse(request)
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
        return _session(session, accounts), session.secret
    key = accounts.access_keys.get(signature.access_key_id)
    if key is None:
        raise refusals.unknown_credentials(f"no access key {signature.access_key_id[:32]!r}, and no session token came")
    user = key.user
    return Caller(Principal.user(user.arn, user.unique_id), user.unique_id, user.permissions), key.secret


def _session(session: Session, accounts: Accounts) -> Caller:
    role = accounts.roles.get(session.principal)
    if role is None or role.unique_id != session.principal_id:
        raise refusals.unknown_credentials(f"the session's role {session.principal} is no more")
    principal = Principal.role_session(role.arn, role.session_arn(session.name), role.unique_id)
    return Caller(principal, f"{role.unique_id}:{session.name}", role.permissions, session)
