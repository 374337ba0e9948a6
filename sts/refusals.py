"""Refusals in AWS's own codes and words.

Each function builds the exception for one case of the protocol. `reason` is for the log alone: AWS does not tell a
client which of several causes it was. Exactly one place in each server turns a `Refused` into an answer.
"""

from datetime import UTC, datetime
from typing import Final

FAULT_NAMESPACE: Final = "http://webservices.amazon.com/AWSFault/2005-15-09"
# Two blanks after the comma, as AWS writes it.
NO_VERIFICATION_KEY: Final = (
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)
SIGNATURE_DIFFERS: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)

S3_SIGNATURE_DIFFERS: Final = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)


class Refused(Exception):  # noqa: N818 -- an answer, not an error of ours
    """A request that is answered with an error.

    Attributes:
        code: AWS's error code.
        status: the HTTP status.
        message: AWS's text, which goes to the client; empty where AWS sends none.
        reason: why, in words for whoever reads the log.
    """

    def __init__(self, code: str, status: int, message: str, reason: str = "") -> None:
        super().__init__(code, message, reason)
        self.code = code
        self.status = status
        self.message = message
        self.reason = reason or message


def validation(problems: list[str]) -> Refused:
    """One or more parameters break their shape's constraints; each problem is one of `sts.constraints`."""
    noun = "validation error" if len(problems) == 1 else "validation errors"
    return Refused("ValidationError", 400, f"{len(problems)} {noun} detected: {'; '.join(problems)}")


def invalid(message: str, reason: str = "") -> Refused:
    """A ValidationError with a text of its own."""
    return Refused("ValidationError", 400, message, reason)


def unknown_action(action: str, version: str) -> Refused:
    """No such action in this version of the API."""
    return Refused(
        "InvalidAction", 400, f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}"
    )


def missing_action() -> Refused:
    """A request to `/` without an Action."""
    return Refused("MissingAction", 400, "Missing Action")


def invalid_token(message: str, reason: str = "") -> Refused:
    """The identity token, or its provider, is at fault."""
    return Refused("InvalidIdentityToken", 400, message, reason)


def not_a_jwt(reason: str) -> Refused:
    """The token is no JWT."""
    return invalid_token(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)", reason
    )


def no_verification_key(reason: str) -> Refused:
    """The provider's keys are unusable, or none of them verifies the token."""
    return invalid_token(NO_VERIFICATION_KEY, reason)


def provider_unreachable(reason: str) -> Refused:
    """The provider could not be asked; SDKs try this one again."""
    return Refused(
        "IDPCommunicationError", 400, "The identity provider could not be reached. Please try again later.", reason
    )


def token_expired(message: str) -> Refused:
    """The identity token is too old."""
    return Refused("ExpiredTokenException", 400, message)


def web_identity_denied(reason: str, action: str = "sts:AssumeRoleWithWebIdentity") -> Refused:
    """The role does not exist, or its trust policy does not allow it: one text for both."""
    return Refused("AccessDenied", 403, f"Not authorized to perform {action}", reason)


def denied(caller: str, action: str, resource: str, reason: str) -> Refused:
    """The caller may not do `action` on `resource`."""
    return Refused(
        "AccessDenied", 403, f"User: {caller} is not authorized to perform: {action} on resource: {resource}", reason
    )


def invalid_parameter(message: str) -> Refused:
    """Parameters that are well-formed and do not go together."""
    return Refused("InvalidParameterValue", 400, message)


def malformed_policy(message: str) -> Refused:
    """A session policy that is none."""
    return Refused("MalformedPolicyDocument", 400, message)


def packed_too_large(message: str) -> Refused:
    """Session policies and tags take more room than there is."""
    return Refused("PackedPolicyTooLarge", 400, message)


def mfa_failed(message: str, reason: str) -> Refused:
    """The MFA device or its code."""
    return Refused("AccessDenied", 403, f"MultiFactorAuthentication failed, {message}", reason)


def session_credentials(action: str) -> Refused:
    """An action for long-lived credentials only."""
    return Refused("AccessDenied", 403, f"Cannot call {action} with session credentials")


def unauthenticated() -> Refused:
    """A signed action came without a signature."""
    return Refused("MissingAuthenticationToken", 403, "Request is missing Authentication Token")


def unknown_credentials(reason: str) -> Refused:
    """The access key id or the session token is not one of ours."""
    return Refused("InvalidClientTokenId", 403, "The security token included in the request is invalid.", reason)


def session_over(reason: str) -> Refused:
    """Temporary credentials after their end."""
    return Refused("ExpiredToken", 403, "The security token included in the request is expired", reason)


def incomplete_signature(message: str) -> Refused:
    """The Authorization header or the presigned query lacks something or is malformed."""
    return Refused("IncompleteSignature", 400, message)


def signature_differs(reason: str, message: str = SIGNATURE_DIFFERS) -> Refused:
    """The signature does not verify."""
    return Refused("SignatureDoesNotMatch", 403, message, reason)


def compact(moment: float) -> str:
    """A time as SigV4 writes it, `20261123T180000Z`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")
