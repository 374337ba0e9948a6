"""The gateway before an S3 server: verifies a request as S3 would, then sends it on without the client's credentials.

Only what `sts.authorization` knows is ever forwarded. The upstream checks nothing itself, so it has to listen where the
gateway alone reaches it; it is told the caller's account and gets a made-up signature of the gateway's own, which tells
an emulator that the request is S3's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from sts import authorization, circumstances, refusals
from sts.callers import Caller
from sts.circumstances import Context
from sts.policy import authorize, request
from sts.sigv4 import HttpRequest
from sts.wire import text

TIMEOUT: Final = aiohttp.ClientTimeout(total=60, connect=5)
# What a client may say to the upstream; everything that carries a credential stays here.
FORWARDED: Final = frozenset({"accept", "user-agent"})
RETURNED: Final = frozenset({"content-type", "etag", "last-modified", "x-amz-bucket-region"})
_OWN: Final = Credentials("GATEWAYEXAMPLE", "made-up; the upstream checks nothing")

# code of the STS refusal -> S3's code, status and text for the same thing
_S3_WORDS: Final[Mapping[str, tuple[str, int, str]]] = {
    "MissingAuthenticationToken": ("AccessDenied", 403, "Access Denied"),
    "InvalidClientTokenId": (
        "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "ExpiredToken": ("ExpiredToken", 400, "The provided token has expired."),
    "IncompleteSignature": ("AuthorizationHeaderMalformed", 400, ""),
    "SignatureDoesNotMatch": (
        "SignatureDoesNotMatch", 403,
        refusals.S3_SIGNATURE_DIFFERS,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The upstream's answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Gateway:
    """Decides on S3 requests and forwards the allowed ones to `upstream`, a URL without a path."""

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self._upstream = upstream.rstrip("/")
        self._session = session

    def decide(self, asked: HttpRequest, caller: Caller, surroundings: Context) -> authorization.Needed:
        """The permission that `caller` has for this request.

        Raises:
            Refused: in S3's words; the operation is not known here, or not allowed.
        """
        needed = authorization.needed(asked)
        if needed is None:
            raise refusals.Refused(
                "NotImplemented", 501, "A header you provided implies functionality that is not implemented",
                f"{asked.method} {asked.path[:256]} is no operation that this gateway forwards",
            )  # fmt: skip
        context = {**surroundings, **circumstances.of_caller(caller)}
        decision = authorize(request(needed.action, needed.resource, caller.principal, context), caller.permissions)
        if not decision.allowed:
            cause = "with an explicit deny in an identity-based policy" if decision.explicit_deny else (
                f"because no identity-based policy allows the {needed.action} action"
            )  # fmt: skip
            raise refusals.Refused(
                "AccessDenied",
                403,
                f"User: {caller.arn} is not authorized to perform: {needed.action} {cause}",
                decision.reason,
            )
        return needed

    async def forward(self, asked: HttpRequest, caller: Caller) -> Forwarded:
        """Send it on.

        Raises:
            Refused: the upstream cannot be reached.
        """
        ours = AWSRequest(asked.method, self._upstream + asked.target)
        ours.headers["x-moto-account-id"] = caller.account
        for name, value in asked.headers:
            if name in FORWARDED and value.isascii():
                ours.headers[name] = value
        S3SigV4Auth(_OWN, "s3", "us-east-1").add_auth(ours)
        try:
            async with self._session.request(
                asked.method,
                URL(ours.url, encoded=True),
                headers=dict(ours.headers.items()),
                allow_redirects=False,
                timeout=TIMEOUT,
            ) as response:
                kept = {name: value for name, value in response.headers.items() if name.lower() in RETURNED}
                return Forwarded(response.status, kept, await response.read())
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise refusals.Refused(
                "ServiceUnavailable",
                503,
                "Please reduce your request rate.",
                f"upstream: {type(problem).__name__}: {problem}",
            ) from problem


def in_s3_words(refused: refusals.Refused) -> refusals.Refused:
    """The same refusal as S3 says it."""
    if refused.code == "SignatureDoesNotMatch" and refused.message.startswith(
        ("Signature expired", "Signature not yet")
    ):
        return refusals.Refused(
            "RequestTimeTooSkewed",
            403,
            "The difference between the request time and the current time is too large.",
            refused.reason,
        )
    if refused.code == "InvalidClientTokenId" and refused.reason.startswith("session token"):
        return refusals.Refused(
            "InvalidToken", 400, "The provided token is malformed or otherwise invalid.", refused.reason
        )
    if refused.code not in _S3_WORDS:
        return refused
    code, status, message = _S3_WORDS[refused.code]
    return refusals.Refused(code, status, message or refused.message, refused.reason)


def failure(refused: refusals.Refused, request_id: str) -> bytes:
    """S3's error document."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{refused.code}</Code>'
        f"<Message>{text(refused.message)}</Message><RequestId>{request_id}</RequestId><HostId>{request_id}</HostId></Error>"
    ).encode()
