"""Signature Version 4, verified: header and presigned.

Computed over the request as it came on the wire, nothing decoded; botocore's signer is the second opinion in the
tests. Order as AWS answers: is there a signature, is it whole, whose key is it and does its session live, the scope,
the clock, the body, and only then the signature itself.

What may not be left unsigned: `host`, and every `x-amz-*` header that came with the request.
"""

import functools
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from sts import refusals
from sts.credentials import same

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW_SECONDS: Final = 15 * 60
PRESIGNED_LIMIT: Final = 7 * 24 * 3600
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
STREAMING_UNSIGNED: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"  # a checksum follows; `sts.payload` checks it
_TIMESTAMP: Final = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
# The signing key of each region is kept, so whoever knows a key id could fill memory with long names.
_REGION: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
_TARGET: Final = re.compile(r"/[\x21\x22\x24-\x7e]*")  # no fragment, no control, no other alphabet


# gc=False, here and on others that are made for each request: nothing that they hold refers back to them, so the
# collector need not look at them.
class HttpRequest(msgspec.Struct, frozen=True, gc=False):
    """A request as it came, nothing decoded.

    Attributes:
        target: the raw request target, path and query.
        headers: lower-case name and value, in the order on the wire.
        body: whole.
        source: the client's address, empty where unknown.
        secure: whether it came by TLS.
    """

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""
    source: str = ""
    secure: bool = False

    @property
    def path(self) -> str:
        """The raw path."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query, without the question mark."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str:
        """The first value of a header, or nothing."""
        for key, value in self.headers:  # a third of what next() over a generator costs
            if key == name:
                return value
        return ""


class Signature(msgspec.Struct, frozen=True, gc=False):
    """What the client says about its signature; nothing of it is verified yet.

    Attributes:
        timestamp: as SigV4 writes it.
        expires: seconds for which a presigned request holds, None for one signed by header.
    """

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    session_token: str
    expires: int | None = None


def parse(request: HttpRequest) -> Signature | None:
    """What the request says about its signature; None where it has none.

    Raises:
        Refused: IncompleteSignature, naming what is missing or malformed.
    """
    authorizations = [value for name, value in request.headers if name == "authorization"]
    query = request.query
    presigned = "X-Amz-Algorithm=" in query or "X-Amz-Signature=" in query
    if not authorizations and not presigned:
        return None
    if len(authorizations) + presigned > 1:
        raise refusals.incomplete_signature("Only one way to sign a request is allowed at a time.")
    if not request.method.isupper():
        # The signer writes it in capitals whatever it was, so `get` would have GET's signature.
        raise refusals.incomplete_signature("The request method has to be in capitals.")
    if not _TARGET.fullmatch(request.target):
        raise refusals.incomplete_signature("The request target has to be percent-encoded.")
    return _from_query(request) if presigned else _from_header(request, authorizations[0])


def verify(request: HttpRequest, signature: Signature, *, service: str, secret: str, now: float) -> None:
    """Return if the request was signed with `secret`, for `service`, now.

    Raises:
        Refused: with AWS's code for what is wrong.
    """
    _check_scope(signature, service)
    _check_clock(signature, service, now)
    _check_headers(request, signature)
    payload = _payload_hash(request, signature, service)
    if not same(_expected(request, signature, secret, payload), signature.signature):
        raise refusals.signature_differs("the signature is not the one that the access key's secret gives")


def _from_header(request: HttpRequest, authorization: str) -> Signature:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise refusals.incomplete_signature(f"Unsupported AWS 'algorithm': '{algorithm[:64]}'.")
    parts: dict[str, str] = {}
    for piece in rest.split(","):
        name, equals, value = piece.strip().partition("=")
        if not equals or name in parts:
            raise refusals.incomplete_signature("Authorization header is malformed.")
        parts[name] = value
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not parts.get(name):
            raise refusals.incomplete_signature(f"Authorization header requires '{name}' parameter.")
    date = request.header("x-amz-date") or _http_date(request.header("date"))
    return _signature(parts, date, request.header("x-amz-security-token"), None)


def _from_query(request: HttpRequest) -> Signature:
    parts: dict[str, str] = {}
    for pair in request.query.split("&"):
        name, _, value = pair.partition("=")
        if name.startswith("X-Amz-"):
            if name[6:] in parts:
                raise refusals.incomplete_signature(f"AWS query-string parameter '{name}' came twice.")
            parts[name[6:]] = unquote(value)
    for name in ("Algorithm", "Credential", "Signature", "SignedHeaders", "Date", "Expires"):
        if not parts.get(name):
            raise refusals.incomplete_signature(f"AWS query-string parameters must include 'X-Amz-{name}'.")
    if parts["Algorithm"] != ALGORITHM:
        raise refusals.incomplete_signature(f"Unsupported AWS 'algorithm': '{parts['Algorithm'][:64]}'.")
    seconds = parts["Expires"]
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 8 and 0 < int(seconds) <= PRESIGNED_LIMIT):  # noqa: PLR2004 -- digits of a week
        raise refusals.incomplete_signature(f"X-Amz-Expires must be a number of seconds from 1 to {PRESIGNED_LIMIT}.")
    return _signature(parts, parts["Date"], parts.get("Security-Token", ""), int(seconds))


def _signature(parts: dict[str, str], timestamp: str, token: str, expires: int | None) -> Signature:
    scope = parts["Credential"].split("/")
    if len(scope) != 5 or scope[4] != "aws4_request" or not all(scope):  # noqa: PLR2004 -- id/date/region/service/aws4_request
        raise refusals.incomplete_signature(
            "Credential must have exactly 5 slash-delimited elements, the last 'aws4_request'."
        )
    if not _TIMESTAMP.fullmatch(timestamp):
        raise refusals.incomplete_signature("A date in the form YYYYMMDD'T'HHMMSS'Z' is needed in 'X-Amz-Date'.")
    return Signature(
        access_key_id=scope[0],
        date=scope[1],
        region=scope[2],
        service=scope[3],
        signed_headers=tuple(parts["SignedHeaders"].split(";")),
        signature=parts["Signature"],
        timestamp=timestamp,
        session_token=token,
        expires=expires,
    )


def _check_scope(signature: Signature, service: str) -> None:
    if signature.service != service:
        raise refusals.signature_differs(
            f"scoped to service {signature.service!r}", f"Credential should be scoped to correct service: '{service}'."
        )
    if not _REGION.fullmatch(signature.region):
        raise refusals.signature_differs("no region", "Credential should be scoped to a valid region.")
    if signature.date != signature.timestamp[:8]:
        raise refusals.signature_differs(
            "the scope's date is not the request's",
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{signature.date[:16]}' != '{signature.timestamp[:8]}', from '{signature.timestamp}'.",
        )


def _check_clock(signature: Signature, service: str, now: float) -> None:
    signed = moment(signature.timestamp)
    # STS ignores X-Amz-Expires: what was presigned for it holds as long as any request, which EKS's tokens rely on.
    holds = SKEW_SECONDS if signature.expires is None or service == "sts" else signature.expires
    written = signature.timestamp
    if signed > now + SKEW_SECONDS:
        limit = refusals.compact(now + SKEW_SECONDS)
        raise refusals.signature_differs(
            "signed in the future",
            f"Signature not yet current: {written} is still later than {limit} ({refusals.compact(now)} + 15 min.)",
        )
    if signed + holds < now:
        limit = refusals.compact(now - holds)
        span = "15 min." if holds == SKEW_SECONDS else f"{holds} s."
        raise refusals.signature_differs(
            "signed too long ago",
            f"Signature expired: {written} is now earlier than {limit} ({refusals.compact(now)} - {span})",
        )


def _check_headers(request: HttpRequest, signature: Signature) -> None:
    signed = set(signature.signed_headers)
    if list(signature.signed_headers) != sorted(signed):
        raise refusals.signature_differs("SignedHeaders are not in order, or one comes twice")
    present = {name for name, _ in request.headers}
    required = {name for name in present if name.startswith("x-amz-")} | {"host"}
    for name in sorted(required - signed):
        raise refusals.signature_differs(
            f"header {name!r} is not signed", f"'{name}' must be a 'SignedHeader' in the AWS Authorization."
        )
    for name in sorted(signed - present):
        raise refusals.signature_differs(f"header {name!r} is signed but did not come")


def _payload_hash(request: HttpRequest, signature: Signature, service: str) -> str:
    actual = hashlib.sha256(request.body).hexdigest()
    claimed = request.header("x-amz-content-sha256")
    if service == "s3":
        if signature.expires is not None and not claimed:
            return UNSIGNED_PAYLOAD
        if claimed in {UNSIGNED_PAYLOAD, STREAMING_UNSIGNED}:
            return claimed
    if claimed and not same(claimed, actual):
        raise refusals.signature_differs("the body is not the one whose hash was signed")
    return actual


def _expected(request: HttpRequest, signature: Signature, secret: str, payload: str) -> str:
    """The signature that the holder of `secret` would have made."""
    canonical = canonical_request(request, signature, payload)
    scope = f"{signature.date}/{signature.region}/{signature.service}/aws4_request"
    # A header may have any bytes; what is no UTF-8 came as surrogates, and was signed as it stood on the wire.
    digest = hashlib.sha256(canonical.encode(errors="surrogateescape")).hexdigest()
    signed = f"{ALGORITHM}\n{signature.timestamp}\n{scope}\n{digest}"
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    return hmac.digest(key, signed.encode(), "sha256").hex()


def canonical_request(request: HttpRequest, signature: Signature, payload: str) -> str:
    """What is signed of a request, over exactly the headers that the client names."""
    pairs = request.query.split("&") if request.query else []
    if signature.expires is not None:
        pairs = [pair for pair in pairs if not pair.startswith("X-Amz-Signature=")]
    query = "&".join("=".join(pair) for pair in sorted(pair.partition("=")[::2] for pair in pairs))
    values: dict[str, list[str]] = {name: [] for name in signature.signed_headers}
    for name, value in request.headers:
        if name in values:
            values[name].append(" ".join(value.split()))  # a repeated header is signed with each of its values
    headers = "".join([f"{name}:{','.join(values[name])}\n" for name in signature.signed_headers])
    path = request.path if signature.service == "s3" else _normalized(request.path)
    return f"{request.method}\n{path}\n{query}\n{headers}\n{';'.join(signature.signed_headers)}\n{payload}"


def _normalized(path: str) -> str:
    """A path without `.`, `..` and empty segments, and encoded once more: every service's way but S3's."""
    if path == "/":  # as a rule
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept[-1:] = []
        elif segment not in {"", "."}:
            kept.append(segment)
    slash = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + slash, safe="/~")


@functools.lru_cache(maxsize=4096)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of a day, region and service; the same for all requests of a session."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def moment(timestamp: str) -> float:
    """Seconds since the epoch; `strptime` would cost more than the signature."""
    year, month, day = int(timestamp[:4]), int(timestamp[4:6]), int(timestamp[6:8])
    hour, minute, second = int(timestamp[9:11]), int(timestamp[11:13]), int(timestamp[13:15])
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError as problem:
        raise refusals.incomplete_signature(f"'{timestamp}' is no date.") from problem


def _http_date(value: str) -> str:
    """The Date header in SigV4's form, where a client sends that instead of X-Amz-Date."""
    try:
        return datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).strftime("%Y%m%dT%H%M%SZ")
    except ValueError:
        return value
