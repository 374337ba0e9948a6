"""Which IAM action on which resource an S3 request is; what is not in the table is not forwarded.

An object is named by the path (`/BUCKET/KEY`), and the policy decides about exactly the object that the upstream will
read: a path that could be read in two ways (encoded twice or otherwise than SDKs do, `..`, `//`, control characters) is
refused, and so is a bucket in the host name. A query parameter or an `x-amz-` header that is not known may make another
operation of a request (`?acl`, `?versionId`, `x-amz-copy-source`), so it is never dropped but refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from sts.refusals import Refused
from sts.sigv4 import HttpRequest

KEY_LIMIT: Final = 1024  # bytes
BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\\]")

# method -> operation and action on an object
_OBJECT: Final[Mapping[str, tuple[str, str]]] = {
    "GET": ("GetObject", "s3:GetObject"),
    "HEAD": ("HeadObject", "s3:GetObject"),
    "PUT": ("PutObject", "s3:PutObject"),
}
OPERATIONS: Final = frozenset({"ListBuckets", *(operation for operation, _ in _OBJECT.values())})
# SDKs name the operation in x-id; the rest pages and filters the list.
_LISTING: Final = frozenset({"x-id", "max-buckets", "prefix", "continuation-token", "bucket-region"})
# What presigns a request; any other name that begins with X-Amz- may be an operation's own.
SIGNING: Final = frozenset(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature", "Security-Token")
)
_HEADERS: Final = frozenset({
    "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent", "x-amz-checksum-mode",
})  # fmt: skip
_UPLOAD_HEADERS: Final = _HEADERS | {
    "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-crc32",
    "x-amz-checksum-sha1", "x-amz-checksum-sha256",
}  # fmt: skip
# Headers that are forwarded, or that conditions look at: a second one could be what the server behind reads.
_ONCE: Final = frozenset({
    "host", "authorization", "user-agent", "range", "if-match", "if-none-match", "if-modified-since",
    "if-unmodified-since", "content-type", "content-encoding", "content-md5", "cache-control",
})  # fmt: skip
# What S3 would keep with the object, and this gateway does not pass on.
_UNKEPT: Final = frozenset({"content-disposition", "content-language", "expires"})


@dataclass(frozen=True, slots=True)
class Needed:
    """The permission that a request needs.

    Attributes:
        bucket: empty where the request is about none.
        also: further actions on the same resource.
    """

    operation: str
    action: str
    resource: str
    bucket: str = ""
    also: tuple[str, ...] = ()


def needed(request: HttpRequest, partition: str = "aws") -> Needed | None:
    """The permission for an S3 request; None where this gateway does not know the operation.

    Raises:
        Refused: it is an object's operation, and its bucket or key is none.
    """
    names = {name for name, _ in parse_qsl(request.query, keep_blank_values=True)} - SIGNING
    if names_bucket(request.header("host")) or _is_ambiguous(request):
        return None
    if request.path == "/":
        return Needed("ListBuckets", "s3:ListAllMyBuckets", "*") if _lists(request, names) else None
    bucket, slash, key = request.path[1:].partition("/")
    if not slash or not key or request.method not in _OBJECT:
        return None
    operation, action = _OBJECT[request.method]
    if not _is_plain(request, operation, names):
        return None
    if not BUCKET.fullmatch(bucket):
        raise Refused("InvalidBucketName", 400, "The specified bucket is not valid.")
    # If-Match tells the object's ETag from any other, so S3 wants the right to read it as well.
    also = ("s3:GetObject",) if operation == "PutObject" and request.header("if-match") else ()
    return Needed(operation, action, f"arn:{partition}:s3:::{bucket}/{object_key(key)}", bucket, also)


def object_key(encoded: str) -> str:
    """The key that a path stands for.

    Raises:
        Refused: no or not only one key is written so, or it is too long.
    """
    try:
        key = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        key = ""
    if quote(key, safe="/~") != encoded or _CONTROL.search(key) or {"", ".", ".."} & set(key.split("/")):
        raise Refused(
            "InvalidURI", 400, "Couldn't parse the specified URI.",
            f"{encoded[:256]!r} has to be percent-encoded as SDKs do, without empty, `.` and `..` segments",
        )  # fmt: skip
    if len(key.encode()) > KEY_LIMIT:
        raise Refused("KeyTooLongError", 400, "Your key is too long")
    return key


def names_bucket(host: str) -> bool:
    """Whether a host name has a bucket before the server's own name, so that the path is the key alone."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.lower().rstrip(".").removesuffix(".cluster.local")
    in_cluster = name.endswith(".svc") and name.count(".") > 2  # noqa: PLR2004 -- SERVICE.NAMESPACE.svc has two
    return in_cluster or name.endswith(".localhost") or ".s3." in name or ".s3-" in name


def _is_ambiguous(request: HttpRequest) -> bool:
    """Whether the server behind could read another parameter or header than the policy was asked about."""
    sent = [name for name, _ in request.headers if name in _ONCE or name.startswith("x-amz-")]
    encoded = any("%" in pair.partition("=")[0] for pair in request.query.split("&"))
    # What is not ASCII is not forwarded, and an upload without its condition is another one.
    lost = any(name.startswith("if-") and not value.isascii() for name, value in request.headers)
    return encoded or lost or len(set(sent)) != len(sent)


def _lists(request: HttpRequest, names: set[str]) -> bool:
    return request.method == "GET" and names <= _LISTING


def _is_plain(request: HttpRequest, operation: str, names: set[str]) -> bool:
    """Whether the request is the operation and nothing more."""
    known = _UPLOAD_HEADERS if operation == "PutObject" else _HEADERS
    sent = {name for name, _ in request.headers}
    if {name for name in sent if name.startswith("x-amz-")} - known:
        return False
    if operation == "PutObject" and (sent & _UNKEPT or request.header("if-none-match") not in {"", "*"}):
        return False  # S3 knows no other If-None-Match of an upload than the one for what is not there yet
    return names <= {"x-id"} and {value for name, value in parse_qsl(request.query) if name == "x-id"} <= {operation}
