"""What an action is given and what it gives back, and what is common to those that give credentials."""

import math
from collections.abc import Mapping

import msgspec

from sts import constraints
from sts.accounts import Accounts, Role
from sts.circumstances import Context, timestamp
from sts.credentials import Entropy, SealingKeys, Session, fresh_pair
from sts.mfa import Spent
from sts.wire import Content, Parameters


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A success.

    Attributes:
        result: the members of the result element, in order.
        log: what the decision's log line says beside it; no secret among it.
    """

    result: Content
    log: Mapping[str, object] = {}


class Call(msgspec.Struct, frozen=True, gc=False):
    """A call and the world that it is decided in.

    Attributes:
        surroundings: the condition keys that every request has.
        now: seconds since the epoch.
    """

    given: Parameters
    accounts: Accounts
    sealing: SealingKeys
    surroundings: Context
    now: float
    entropy: Entropy
    spent: Spent

    def session(
        self,
        *,
        account: str,
        principal: str,
        principal_id: str,
        name: str,
        seconds: int,
        provider: str = "",
        source_identity: str = "",
        scope: bytes = b"",
        mfa: bool = False,
    ) -> Session:
        """A new session that begins now, with a fresh key pair."""
        access_key_id, secret = fresh_pair(account, self.entropy)
        begins = int(self.now)
        return Session(
            access_key_id, secret, account, principal, principal_id, name, begins, begins + seconds,
            provider, source_identity, scope, mfa,
        )  # fmt: skip

    def credentials(self, session: Session, numbers: Mapping[str, int]) -> Content:
        """The Credentials element, and how large its session token is; `numbers` may ask for a least size."""
        token = self.sealing.seal(session, self.entropy, numbers.get("MinimumSessionTokenSize", 0))
        return {
            "Credentials": {
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret,
                "SessionToken": token,
                "Expiration": timestamp(session.expires),
            },
            "SessionTokenSize": str(len(token)),
            "SessionTokenUtilization": str(math.ceil(100 * len(token) / constraints.TOKEN_SIZE[-1])),
        }


def assumed_role_user(role: Role, name: str) -> Content:
    """The AssumedRoleUser element."""
    return {"AssumedRoleId": f"{role.unique_id}:{name}", "Arn": role.session_arn(name)}


def issued(session: Session) -> dict[str, object]:
    """What the log says of new credentials."""
    return {"access_key_id": session.access_key_id, "expires": timestamp(session.expires)}
