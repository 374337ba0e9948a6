"""The condition keys that every request has: when, from where, by whom.

Keys that a request does not have are left out, since a missing key and an empty one decide differently.
"""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from sts.callers import Caller
from sts.sigv4 import ALGORITHM, HttpRequest, Signature, moment

Context: TypeAlias = dict[str, str | list[str]]


@functools.lru_cache(maxsize=256)
def timestamp(seconds: int) -> str:
    """A time as AWS writes it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def surroundings(asked: HttpRequest, now: float, region: str = "") -> Context:
    """When, from where and to where; `region` is that of a signature, and has to be verified by then."""
    second = int(now)
    found: Context = {
        "aws:CurrentTime": timestamp(second),
        "aws:EpochTime": str(second),
        "aws:SecureTransport": "true" if asked.secure else "false",
        "aws:ViaAWSService": "false",  # nobody here calls for another
    }
    if region := region or _region(asked.header("host")):
        found["aws:RequestedRegion"] = region
    if asked.source:
        found["aws:SourceIp"] = asked.source
    if agent := asked.header("user-agent"):
        found["aws:UserAgent"] = agent
    if referer := asked.header("referer"):
        found["aws:Referer"] = referer
    return found


def _region(host: str) -> str:
    """Of AWS's regional endpoints; a name of one's own says none, and the global one is in us-east-1."""
    if host[:4].lower() != "sts.":
        return ""
    labels = host.partition(":")[0].lower().split(".")
    if labels[-2:] != ["amazonaws", "com"]:
        return ""
    return labels[1] if len(labels) > 3 else "us-east-1"  # noqa: PLR2004 -- sts.REGION.amazonaws.com


def of_caller(caller: Caller) -> Context:
    """By whom; `aws:PrincipalArn` and its like follow from the principal itself."""
    found: Context = {"aws:userid": caller.user_id, "aws:PrincipalIsAWSService": "false"}
    if caller.user_name:
        found["aws:username"] = caller.user_name
    found.update({f"aws:PrincipalTag/{key}": value for key, value in caller.tags.items()})
    session = caller.session
    if session is not None:
        # Only temporary credentials have these two; IAM's console revokes sessions by the first.
        found["aws:TokenIssueTime"] = timestamp(session.issued)
        found["aws:MultiFactorAuthPresent"] = "true" if session.mfa else "false"
        if caller.mfa_age is not None:
            found["aws:MultiFactorAuthAge"] = str(caller.mfa_age)
        if session.source_identity:
            found["aws:SourceIdentity"] = session.source_identity
        if session.provider:
            found["aws:FederatedProvider"] = session.provider
    return found


def of_object(asked: HttpRequest, signed: Signature | None, now: float) -> Context:
    """How an S3 request is signed, and on which condition it writes."""
    found: Context = {
        "s3:signatureversion": ALGORITHM,
        "s3:authType": "REST-HEADER" if asked.header("authorization") else "REST-QUERY-STRING",
    }
    if signed is not None:
        found["s3:signatureAge"] = str(max(0, int((now - moment(signed.timestamp)) * 1000)))
    if asked.method == "PUT":
        found["s3:ObjectCreationOperation"] = "true"
    for name in ("x-amz-content-sha256", "if-match", "if-none-match"):
        if value := asked.header(name):
            found[f"s3:{name}"] = value
    return found


def of_tags(tags: Mapping[str, str], transitive: tuple[str, ...]) -> Context:
    """The keys by which a policy judges the tags that a call passes."""
    found: Context = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    if tags:
        found["aws:TagKeys"] = list(tags)
    if transitive:
        found["sts:TransitiveTagKeys"] = list(transitive)
    return found
