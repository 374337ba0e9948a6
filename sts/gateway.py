"""The gateway before an S3 server: verifies a request as S3 would, then sends it on without the client's credentials.

Only what `sts.authorization` knows is ever forwarded. The upstream checks nothing itself, so it has to listen where the
gateway alone reaches it; it is told the caller's account and gets a made-up signature of the gateway's own, which tells
an emulator that the request is S3's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from sts import authorization, circumstances, payload, refusals
from sts.callers import Caller
from sts.circumstances import Context
from sts.policy import Kind, authorize, request
from sts.sigv4 import HttpRequest
from sts.wire import text

TIMEOUT: Final = aiohttp.ClientTimeout(total=60, connect=5)
ANSWER_LIMIT: Final = 16 << 20  # bytes; an object is held whole
# What a client may say to the upstream; everything that carries a credential stays here.
FORWARDED: Final = frozenset({
    "accept", "user-agent", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range",
})  # fmt: skip
STORED: Final = frozenset({"content-type", "cache-control"})  # what an upload says of its object
RETURNED: Final = frozenset({
    "content-type", "etag", "last-modified", "x-amz-bucket-region", "cache-control", "accept-ranges", "content-range",
})  # fmt: skip
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
        needed = authorization.needed(asked, caller.arn.split(":")[1])
        if needed is None:
            raise refusals.Refused(
                "NotImplemented", 501, "A header you provided implies functionality that is not implemented",
                f"{asked.method} {asked.path[:256]} is no operation that this gateway forwards",
            )  # fmt: skip
        context = {**surroundings, **circumstances.of_caller(caller)}
        for action in (needed.action, *needed.also):
            _authorize(action, needed.resource, caller, context)
        return needed

    async def forward(
        self, asked: HttpRequest, needed: authorization.Needed, caller: Caller, surroundings: Context
    ) -> Forwarded:
        """Send it on.

        Raises:
            Refused: the upload is not what was signed; the upstream cannot be reached; the object is not there, and
                the caller may not know that.
        """
        uploads = needed.operation == "PutObject"
        ours = AWSRequest(
            asked.method, self._upstream + upstream_target(asked), headers={"x-moto-account-id": caller.account},
            data=payload.uploaded(asked) if uploads else b"",
        )  # fmt: skip
        for name, value in asked.headers:
            if name in (FORWARDED | STORED if uploads else FORWARDED) and value.isascii():
                ours.headers[name] = value
        S3SigV4Auth(_OWN, "s3", "us-east-1").add_auth(ours)
        found = await self._sent(ours)
        if found.status == HTTPStatus.NOT_FOUND and needed.bucket and not uploads:
            # Whether an object exists is told only to who may list its bucket.
            context = {**surroundings, **circumstances.of_caller(caller)}
            _authorize("s3:ListBucket", needed.resource.partition("/")[0], caller, context)
        return found

    async def _sent(self, ours: AWSRequest) -> Forwarded:
        try:
            async with self._session.request(
                ours.method,
                URL(ours.url, encoded=True),
                headers=dict(ours.headers.items()),
                data=ours.data or None,
                allow_redirects=False,
                timeout=TIMEOUT,
            ) as response:
                kept = {name: value for name, value in response.headers.items() if name.lower() in RETURNED}
                if ours.method == "HEAD" and "Content-Length" in response.headers:
                    kept["Content-Length"] = response.headers["Content-Length"]
                return Forwarded(response.status, kept, await _bounded(response))
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise refusals.Refused(
                "ServiceUnavailable",
                503,
                "Please reduce your request rate.",
                f"upstream: {type(problem).__name__}: {problem}",
            ) from problem


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > ANSWER_LIMIT:
            raise refusals.Refused(
                "NotImplemented", 501, "A header you provided implies functionality that is not implemented",
                f"the object has more than {ANSWER_LIMIT} bytes; this gateway is for small ones",
            )  # fmt: skip
    return bytes(body)


# As AWS says them: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_KINDS: Final[Mapping[Kind, str]] = {
    Kind.IDENTITY: "identity-based policy",
    Kind.RESOURCE: "resource-based policy",
    Kind.SESSION: "session policy",
    Kind.BOUNDARY: "permissions boundary",
    Kind.TRUST: "role trust policy",
}


def _authorize(action: str, resource: str, caller: Caller, context: Context) -> None:
    decision = authorize(request(action, resource, caller.principal, context), caller.permissions)
    if decision.allowed:
        return
    where = "" if resource == "*" else f' on resource: "{resource}"'
    what = _KINDS[decision.kind]
    if decision.explicit_deny:
        cause = f"with an explicit deny in {'an' if what[0] == 'i' else 'a'} {what}"
    else:
        cause = f"because no {what} allows the {action} action"
    raise refusals.Refused(
        "AccessDenied",
        403,
        f"User: {caller.arn} is not authorized to perform: {action}{where} {cause}",
        decision.reason,
    )


def upstream_target(asked: HttpRequest) -> str:
    """The same path, and of the query what pages a list alone: a presigned one has the session's token in it."""
    pairs = [pair for pair in asked.query.split("&") if pair and not pair.startswith(("X-Amz-", "x-id="))]
    return f"{asked.path}?{'&'.join(pairs)}" if pairs else asked.path


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
