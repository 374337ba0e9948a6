"""Which IAM action on which resource an S3 request is; what is not in the table is not forwarded."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from sts.sigv4 import HttpRequest

# What presigns a request; any other name that begins with X-Amz- may be an operation's own.
SIGNING: Final = frozenset(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature", "Security-Token")
)


@dataclass(frozen=True, slots=True)
class Needed:
    """The permission that a request needs."""

    operation: str
    action: str
    resource: str


def needed(request: HttpRequest) -> Needed | None:
    """The permission for an S3 request; None where this gateway does not know the operation."""
    names = {name for name, _ in parse_qsl(request.query, keep_blank_values=True)} - SIGNING
    # SDKs name the operation in x-id; the rest pages and filters the list.
    listing = {"x-id", "max-buckets", "prefix", "continuation-token", "bucket-region"}
    if request.method == "GET" and request.path == "/" and names <= listing:
        return Needed("ListBuckets", "s3:ListAllMyBuckets", "*")
    return None
