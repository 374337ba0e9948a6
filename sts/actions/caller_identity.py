"""GetCallerIdentity: needs a signature and no permission, and works under an explicit Deny."""

from sts.actions.answer import Answer, Call
from sts.callers import Caller


def caller_identity(call: Call, caller: Caller) -> Answer:  # noqa: ARG001 -- the signature of an action
    """Who signed."""
    return Answer({"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account})
