"""From annotations to what a pod is given: the ServiceAccount's RoleBinding and the pod's own wishes.

Precedence, the Go webhook's: expiration = pod, then ServiceAccount, then flag; audience and regional STS =
ServiceAccount, then flag; the role stands on the ServiceAccount alone. A value that cannot be used never stops a pod:
the next in precedence holds, and a warning says what was wrong and what would be right.
"""

import csv
import re
from collections.abc import Mapping
from typing import Final

import msgspec

MIN_EXPIRATION: Final = 600  # seconds; the API server refuses less for a projected token
MAX_EXPIRATION: Final = 1 << 32  # and more

ROLE_ARN: Final = re.compile(r"arn:aws[a-z0-9-]*:iam::\d{12}:role/[\w/.@+=,-]+", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
# Go's strconv.ParseBool.
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_ACCOUNT_KEYS: Final = ("role-arn", "audience", "sts-regional-endpoints", "token-expiration")
_POD_KEYS: Final = ("token-expiration", "skip-containers", "ca-bundle")


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What flags say where no annotation does.

    Attributes:
        prefix: of all annotations, without the slash.
        audience: `aud` of the token.
        expiration: seconds, at least `MIN_EXPIRATION`.
        regional_sts: whether pods get AWS_STS_REGIONAL_ENDPOINTS=regional.
        account_id: where a role is written without `arn:`, the account that it is in; empty: roles are taken verbatim.
        partition: the partition of such a role.
    """

    prefix: str = "eks.amazonaws.com"
    audience: str = "sts.amazonaws.com"
    expiration: int = 86400
    regional_sts: bool = False
    account_id: str = ""
    partition: str = "aws"


class RoleBinding(msgspec.Struct, frozen=True, gc=False):
    """The role of a ServiceAccount, every default already applied.

    Attributes:
        role_arn: as it was written; an ARN that is none is injected all the same (see `warnings`).
        audience: may be empty, which asks for a token of the API server's own audience.
        expiration: seconds, `MIN_EXPIRATION` to `MAX_EXPIRATION`.
        warnings: what whoever wrote the annotations should know.
    """

    role_arn: str
    audience: str
    expiration: int
    regional_sts: bool
    warnings: tuple[str, ...] = ()


class Unbound(msgspec.Struct, frozen=True, gc=False):
    """A ServiceAccount without a role; `warnings` say what it may have been meant to say.

    Attributes:
        expiration: as annotated, for EKS Pod Identity; None: not annotated.
        regional_sts: the same.
    """

    warnings: tuple[str, ...] = ()
    expiration: int | None = None
    regional_sts: bool | None = None


class PodWishes(msgspec.Struct, frozen=True, gc=False):
    """What a pod's own annotations ask for."""

    expiration: int | None = None
    skip: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


_NOTHING: Final = Unbound()
_NO_WISHES: Final = PodWishes()


def read_service_account(place: str, annotations: Mapping[str, str], defaults: Defaults) -> RoleBinding | Unbound:
    """What the annotations of the ServiceAccount `place` (`namespace/name`) give its pods."""
    if not annotations:
        return _NOTHING
    prefix = defaults.prefix + "/"
    own = {key.removeprefix(prefix): value for key, value in annotations.items() if key.startswith(prefix)}
    if not own:
        strangers = tuple(_strangers(place, annotations, prefix))
        return Unbound(warnings=strangers) if strangers else _NOTHING
    warnings = [*_unknown(f"ServiceAccount {place}", own, _ACCOUNT_KEYS, prefix)]
    expiration = _expiration(f"ServiceAccount {place}", own.get("token-expiration"), prefix, warnings)
    regional = _boolean(place, own.get("sts-regional-endpoints"), prefix, warnings)
    role = _role(place, own.get("role-arn"), defaults, prefix, warnings)
    if not role:
        return Unbound(tuple(warnings), expiration, regional)
    if own.get("audience") == "":
        warnings.append(
            f"ServiceAccount {place}: {prefix}audience is empty, so the token is one for the API server itself; "
            f"remove the annotation for {defaults.audience}"
        )
    return RoleBinding(
        role_arn=role,
        audience=own.get("audience", defaults.audience),
        expiration=defaults.expiration if expiration is None else expiration,
        regional_sts=defaults.regional_sts if regional is None else regional,
        warnings=tuple(warnings),
    )


def read_pod(annotations: Mapping[str, str] | None, prefix: str) -> PodWishes:
    """What a pod's annotations ask for."""
    prefix += "/"
    own = {key.removeprefix(prefix): value for key, value in (annotations or {}).items() if key.startswith(prefix)}
    if not own:
        return _NO_WISHES
    warnings = [*_unknown("this pod", own, _POD_KEYS, prefix)]
    expiration = _expiration("this pod", own.get("token-expiration"), prefix, warnings)
    return PodWishes(expiration, skipped(own.get("skip-containers", "")), tuple(warnings))


def skipped(value: str) -> frozenset[str]:
    """Container names of the first CSV record, trimmed; a broken quote skips nothing."""
    lines = value.strip().splitlines()
    if not lines:
        return frozenset()
    try:
        record = next(csv.reader(lines[:1], strict=True, skipinitialspace=True), [])
    except csv.Error:
        return frozenset()
    return frozenset(name.strip() for name in record if name.strip())


def bounded(expiration: int) -> int:
    """The nearest expiration that the API server takes."""
    return min(max(expiration, MIN_EXPIRATION), MAX_EXPIRATION)


def partition_of(region: str) -> str:
    """The AWS partition of a region."""
    partitions = {
        "cn-": "aws-cn",
        "us-gov-": "aws-us-gov",
        "us-iso-": "aws-iso",
        "us-isob-": "aws-iso-b",
        "eusc-": "aws-eusc",
    }
    return next((partition for prefix, partition in partitions.items() if region.startswith(prefix)), "aws")


def composed(role: str, defaults: Defaults) -> str:
    """The role as an ARN, where an account is known and something else than an ARN was written."""
    if role and defaults.account_id and "arn:" not in role:
        return f"arn:{defaults.partition}:iam::{defaults.account_id}:role/{role}"
    return role


def _role(place: str, value: str | None, defaults: Defaults, prefix: str, warnings: list[str]) -> str:
    if not value:
        return ""
    value = composed(value, defaults)
    if not ROLE_ARN.fullmatch(value):
        warnings.append(
            f"ServiceAccount {place}: {prefix}role-arn is {value!r}, which is no role ARN; "
            f"write it as arn:aws:iam::111122223333:role/NAME"
        )
    return value


def _expiration(place: str, value: str | None, prefix: str, warnings: list[str]) -> int | None:
    if value is None:
        return None
    if not _INTEGER.fullmatch(value) or not -(1 << 63) <= int(value) < 1 << 63:
        warnings.append(
            f"{place}: {prefix}token-expiration is {value!r}, which is no number of seconds; it is ignored, "
            f"write for example 3600"
        )
        return None
    seconds = int(value)
    if seconds > MAX_EXPIRATION:
        warnings.append(
            f"{place}: {prefix}token-expiration is {value}, more than Kubernetes takes; {MAX_EXPIRATION} is used"
        )
    return bounded(seconds)


def _boolean(place: str, value: str | None, prefix: str, warnings: list[str]) -> bool | None:
    if value is None:
        return None
    if value not in _BOOLEANS:
        warnings.append(
            f"ServiceAccount {place}: {prefix}sts-regional-endpoints is {value!r}, which is neither true nor false; "
            f"it is ignored"
        )
    return _BOOLEANS.get(value)


def _unknown(place: str, own: Mapping[str, str], known: tuple[str, ...], prefix: str) -> list[str]:
    names = ", ".join(prefix + key for key in known if key != "ca-bundle")
    return [
        f"{place}: annotation {prefix}{key} is not known and has no effect; known are {names}"
        for key in own
        if key not in known
    ]


def _strangers(place: str, annotations: Mapping[str, str], prefix: str) -> list[str]:
    return [
        f"ServiceAccount {place}: annotation {key} has no effect, did you mean {prefix}role-arn?"
        for key in annotations
        if key.endswith("/role-arn")
    ]
