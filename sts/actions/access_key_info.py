"""GetAccessKeyInfo: the account of an access key id, which is encoded in the id itself.

AWS answers for ids that it does not hold, so do we. An id of the old style carries no account; we know that of our own
keys, and refuse others.
"""

from typing import Final

from sts import circumstances, constraints, identifiers, refusals
from sts.actions.answer import Answer, Call
from sts.callers import Caller
from sts.policy import authorize, request

ACTION: Final = "sts:GetAccessKeyInfo"
_SHAPES: Final = {"AccessKeyId": constraints.ACCESS_KEY_ID}


def access_key_info(call: Call, caller: Caller) -> Answer:
    """The account.

    Raises:
        Refused: the caller may not ask, or the id carries no account.
    """
    constraints.check(call.given, _SHAPES)
    if caller.session is not None and not caller.is_role:
        # What GetSessionToken gives is good for AssumeRole and GetCallerIdentity, and for no other action of STS.
        raise refusals.session_credentials("GetAccessKeyInfo")
    context = {**call.surroundings, **circumstances.of_caller(caller)}
    decision = authorize(request(ACTION, "*", caller.principal, context), caller.permissions)
    if not decision.allowed:
        raise refusals.denied(caller.arn, ACTION, "*", decision.reason)
    identifier = call.given["AccessKeyId"]
    known = call.accounts.access_keys.get(identifier)
    account = known.owner.account if known else identifiers.account_of(identifier)
    if account is None:
        raise refusals.invalid(
            "The access key id carries no account.", f"{identifier[:32]} is of the old style, or none"
        )
    return Answer({"Account": account})
