"""What limits and marks a session: policies passed with the call, tags, and how much room they take.

AWS packs both into the session token by a format of its own and answers which share of the room is used. We pack them
by deflate into 2048 bytes; so the percentage is ours, and so is the exact point where `PackedPolicyTooLarge` begins.
Plain limits (2048 characters of policies, 50 tags, ten ARNs) are AWS's.
"""

import functools
import math
import zlib
from collections.abc import Mapping
from typing import Final

import msgspec

from sts import refusals
from sts.accounts import Accounts
from sts.constraints import POLICY_ARN, TAG_KEY, TAG_VALUE
from sts.policy import Kind, Policy, PolicyError, parse
from sts.wire import Parameters, members

PACKED_BYTES: Final = 2048
POLICY_CHARACTERS: Final = 2048
POLICY_ARNS: Final = 10
TAGS: Final = 50
_UNPACKED_LIMIT: Final = 64 * 1024


class Scope(msgspec.Struct, frozen=True, array_like=True):
    """Session policies and session tags.

    Attributes:
        policy: the inline session policy's text.
        transitive: the keys of tags that go along when the session assumes another role.
    """

    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    transitive: tuple[str, ...] = ()

    @property
    def inherited(self) -> dict[str, str]:
        """The tags that go along."""
        keys = {key.lower() for key in self.transitive}
        return {key: value for key, value in self.tags.items() if key.lower() in keys}


NOTHING: Final = Scope()


def asked(given: Parameters) -> tuple[Scope, list[str]]:
    """What the parameters ask for; where they break their shapes, nothing and what is wrong, in AWS's words.

    Raises:
        Refused: tag keys come twice, or are reserved.
    """
    if ".member." not in "\n".join(given):  # as a rule
        return Scope(policy) if (policy := given.get("Policy", "")) else NOTHING, []
    problems: list[str] = []
    arns = []
    for number, entry in members(given, "PolicyArns"):
        problems += POLICY_ARN.problems(f"policyArns.{number}.member.arn", entry.get("arn"))
        arns.append(entry.get("arn", ""))
    tags = []
    for number, entry in members(given, "Tags"):
        problems += TAG_KEY.problems(f"tags.{number}.member.key", entry.get("Key"))
        problems += TAG_VALUE.problems(f"tags.{number}.member.value", entry.get("Value"))
        tags.append((entry.get("Key", ""), entry.get("Value", "")))
    transitive = []
    for number, entry in members(given, "TransitiveTagKeys"):
        problems += TAG_KEY.problems(f"transitiveTagKeys.{number}.member", entry.get(""))
        transitive.append(entry.get("", ""))
    for name, count, most in (
        ("policyArns", len(arns), POLICY_ARNS),
        ("tags", len(tags), TAGS),
        ("transitiveTagKeys", len(transitive), TAGS),
    ):
        if count > most:
            problems.append(
                f"Value at '{name}' failed to satisfy constraint: Member must have length less than or equal to {most}"
            )
    if problems:
        return NOTHING, problems
    return Scope(given.get("Policy", ""), tuple(arns), tagged(tags), tuple(transitive)), []


def tagged(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Session tags by key.

    Raises:
        Refused: two keys differ in case only, or one begins with `aws:`.
    """
    if len({key.lower() for key, _ in pairs}) != len(pairs):
        raise refusals.invalid_parameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    for key, _ in pairs:
        if key.lower().startswith("aws:"):
            raise refusals.invalid_parameter("Tag keys that begin with aws: are reserved.")
    return dict(pairs)


def chained(scope: Scope, caller: Scope) -> Scope:
    """`scope` with the transitive tags of the calling session.

    Raises:
        Refused: a transitive key is no tag of the call, or a tag would replace an inherited one.
    """
    if not scope.transitive and not caller.transitive:
        return scope
    inherited = caller.inherited
    own = {key.lower() for key in scope.tags}
    if not {key.lower() for key in scope.transitive} <= own:
        raise refusals.invalid_parameter("The specified transitive tag key must be included in the requested tags.")
    if own & {key.lower() for key in inherited}:
        raise refusals.invalid_parameter(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
            "the calling session."
        )
    return Scope(scope.policy, scope.policy_arns, inherited | dict(scope.tags), (*inherited, *scope.transitive))


def pack(scope: Scope) -> tuple[bytes, int | None]:
    """The packed scope, and its size in percent of the room; None where the call brought nothing to pack.

    Raises:
        Refused: PackedPolicyTooLarge.
    """
    if scope == NOTHING:
        return b"", None
    if len(scope.policy) + sum(map(len, scope.policy_arns)) > POLICY_CHARACTERS:
        raise refusals.packed_too_large(
            f"Session policies are longer than {POLICY_CHARACTERS} characters, please use smaller policy"
        )
    packed = zlib.compress(msgspec.msgpack.encode(scope), 9)
    percent = math.ceil(100 * len(packed) / PACKED_BYTES)
    if percent > 100:  # noqa: PLR2004 -- percent
        if scope.policy or scope.policy_arns:
            raise refusals.packed_too_large(
                f"Packed policy consumes {percent}% of allotted space, please use smaller policy"
            )
        raise refusals.packed_too_large(f"Packed size of session tags consumes {percent}% of allotted space.")
    return packed, percent


@functools.lru_cache(maxsize=1024)  # some 25 kB each at the most
def unpack(packed: bytes) -> Scope:
    """The reverse of `pack`."""
    if not packed:
        return NOTHING
    return msgspec.msgpack.decode(zlib.decompressobj().decompress(packed, _UNPACKED_LIMIT), type=Scope)


def policies(scope: Scope, accounts: Accounts, account: str) -> tuple[Policy, ...] | None:
    """The session policies; None where none was passed, so that nothing is limited.

    Raises:
        Refused: MalformedPolicyDocument; the inline policy is none, or an ARN is of no managed policy that we know.
    """
    if not scope.policy and not scope.policy_arns:
        return None
    found = [_parsed(scope.policy)] if scope.policy else []
    for arn in scope.policy_arns:
        policy = accounts.managed_policy(account, arn)
        if policy is None:
            raise refusals.malformed_policy(f"The policy {arn} does not exist or is not attachable.")
        found.append(policy)
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Policy:
    try:
        return parse(text, Kind.SESSION, "session policy")
    except PolicyError as problem:
        raise refusals.malformed_policy(f"{problem.place}: {problem.problem}") from problem
