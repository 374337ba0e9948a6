"""What an action gives back, and what is common to those that give credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sts.credentials import Entropy, SealingKeys, Session, fresh_pair
from sts.wire import Content


@dataclass(frozen=True, slots=True)
class Answer:
    """A success.

    Attributes:
        result: the members of the result element, in order.
        log: what the decision's log line says beside it; no secret among it.
    """

    result: Content
    log: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mint:
    """What makes credentials: the keys that seal, the time and the randomness."""

    sealing: SealingKeys
    now: float
    entropy: Entropy

    def credentials(self, session: Session) -> Content:
        """The Credentials element of a session."""
        return {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret,
            "SessionToken": self.sealing.seal(session, self.entropy),
            "Expiration": timestamp(session.expires),
        }

    def pair(self, account: str) -> tuple[str, str]:
        """A new access key id and secret of `account`."""
        return fresh_pair(account, self.entropy)


def timestamp(seconds: float) -> str:
    """A time as STS writes it, in whole seconds of UTC."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
