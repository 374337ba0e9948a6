"""GetSessionToken: temporary credentials of a user itself, with its MFA device shown or not. Needs no permission."""

from typing import Final

from sts import constraints, refusals
from sts.actions import second_factor
from sts.actions.answer import Answer, Call, issued
from sts.callers import Caller

_SHAPES: Final = {"SerialNumber": constraints.SERIAL_NUMBER, "TokenCode": constraints.TOKEN_CODE}
_NUMBERS: Final = {"DurationSeconds": range(900, 129601), "MinimumSessionTokenSize": constraints.TOKEN_SIZE}
_DEFAULT_SECONDS: Final = 43200
_ROOT_SECONDS: Final = 3600


def session_token(call: Call, caller: Caller) -> Answer:
    """Credentials of the user or the account's owner that called with its long-lived key.

    Raises:
        Refused: the parameters, the MFA device, or a session called.
    """
    numbers = constraints.check(call.given, _SHAPES, _NUMBERS)
    duration = numbers.get("DurationSeconds")
    if caller.session is not None:
        raise refusals.session_credentials("GetSessionToken")
    mfa = second_factor.shown(call, caller)
    seconds = min(duration or _ROOT_SECONDS, _ROOT_SECONDS) if caller.is_root else duration or _DEFAULT_SECONDS
    session = call.session(
        account=caller.account, principal=caller.arn, principal_id=caller.user_id, name="", seconds=seconds, mfa=mfa
    )
    return Answer(call.credentials(session, numbers), {**issued(session), "mfa": mfa})
