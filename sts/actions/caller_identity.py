"""GetCallerIdentity: needs a signature and no permission, and works under an explicit Deny."""

from sts.actions.answer import Answer
from sts.callers import Caller


def caller_identity(caller: Caller) -> Answer:
    """Who signed."""
    return Answer({"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account})
