"""SerialNumber and TokenCode: whether a user showed its MFA device with the call."""

from typing import Final

from sts import refusals
from sts.actions.answer import Call
from sts.callers import Caller

_NOT_YOURS: Final = (
    "unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
)


def shown(call: Call, caller: Caller) -> bool:
    """Whether a valid code came; False where none was given.

    Raises:
        Refused: one of the two is missing, the device is not the caller's, or the code is wrong or was used.
    """
    serial, code = call.given.get("SerialNumber"), call.given.get("TokenCode")
    if serial is None and code is None:
        return False
    if serial is None or code is None:
        raise refusals.mfa_failed(
            "must provide both MFA serial number and one time pass code.", "SerialNumber and TokenCode belong together"
        )
    device = call.accounts.devices.get(serial)
    if device is None or device.user != caller.arn:
        raise refusals.mfa_failed(
            _NOT_YOURS,
            f"{caller.arn} has no device {serial}",
        )
    if not call.spent.spend(device, code, call.now):
        raise refusals.mfa_failed("invalid MFA one time pass code.", "the code is wrong, or was used already")
    return True
