"""AWS's own managed policies that roles commonly attach, by ARN.

An export of an account brings the documents of what it attaches; these are for account files written by hand, and for
the `PolicyArns` of a session. They stand in managed.json, as AWS had them when that was written (its first line).
"""

from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from sts.policy.model import Kind, Policy
from sts.policy.parse import parse

PREFIX: Final = "arn:aws:iam::aws:policy/"


class _Catalogue(msgspec.Struct, frozen=True):
    source: str
    policies: dict[str, msgspec.Raw]


@cache
def _catalogue() -> _Catalogue:
    return msgspec.json.decode((files("sts.policy") / "managed.json").read_bytes(), type=_Catalogue)


def arns() -> list[str]:
    """The ARNs that are known, in order."""
    return sorted(_catalogue().policies)


@cache
def managed_by_aws(arn: str) -> Policy | None:
    """The policy that AWS keeps under this ARN; None where it is not among the known ones."""
    if not arn.startswith(PREFIX):
        return None
    document = _catalogue().policies.get(arn)
    return None if document is None else parse(msgspec.json.decode(document), Kind.IDENTITY, f"policy {arn}")
