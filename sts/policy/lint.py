"""What is legal in a policy and yet surely not meant: found before AWS, or a pod, finds it out.

Each finding names its place, what would happen, and the cure. A document that AWS would refuse is one finding of level
`error`; the rest are warnings. `webidentity` has what concerns trust in an OIDC provider.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from sts.policy.errors import PolicyError
from sts.policy.keys import TYPED, similar, unknown_key
from sts.policy.model import Kind
from sts.policy.parse import decoded, parse
from sts.policy.webidentity import Finding, Providers, conditions, listed, web_identity

# Characters without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
SIZES: Final = {Kind.TRUST: 2048, Kind.SESSION: 2048, Kind.IDENTITY: 6144, Kind.BOUNDARY: 6144, Kind.RESOURCE: 20480}

_SID: Final = re.compile(r"[A-Za-z0-9]*", re.ASCII)


class Names(msgspec.Struct, frozen=True):
    """The users and roles of an account, by ARN."""

    account: str
    arns: frozenset[str]


def lint(
    document: object,
    kind: Kind,
    place: str,
    *,
    providers: Providers | None = None,
    audience: str = "sts.amazonaws.com",
    names: Names | None = None,
) -> list[Finding]:
    """The findings in a document, in its order.

    `providers` are those of the role's account, by ARN, with their client ids; None where they are not known, and
    `audience` is then what tokens are taken to carry. `names` are the account's users and roles, where they are known.
    """
    try:
        parse(document, kind, place)
        content = decoded(document, place)
    except PolicyError as wrong:
        return [Finding("error", wrong.place, "invalid", wrong.problem, wrong.cure)]
    found = list(_whole(content, kind, place))
    for index, statement in enumerate(listed(content["Statement"])):
        assert isinstance(statement, Mapping)  # noqa: S101 -- parse has seen to it
        where = f"{place}: Statement[{index}]"
        found += _inverted(statement, where)
        found += _conditions(statement, where, variables=content.get("Version") == "2012-10-17")
        if kind is Kind.TRUST:
            found += _everyone(statement, where)
            found += _not_sts(statement, where)
            found += web_identity(statement, where, providers, audience)
        if names is not None:
            found += _unknown_principals(statement, where, names)
    return found


def _whole(content: Mapping[str, object], kind: Kind, place: str) -> Iterator[Finding]:
    size = len("".join(msgspec.json.encode(content).decode().split()))
    if size > SIZES[kind]:
        cure = "split it, or shorten its lists" + (" (a quota can raise it to 4096)" if kind is Kind.TRUST else "")
        yield Finding("warning", place, "too-long", f"{size} characters, and AWS takes {SIZES[kind]}", cure)
    sids = [each.get("Sid") for each in listed(content["Statement"]) if isinstance(each, Mapping) and each.get("Sid")]
    if len(set(map(str, sids))) < len(sids):
        yield Finding("warning", place, "sid-twice", "a Sid stands twice, which AWS refuses", "give each its own")
    odd = [sid for sid in sids if not _SID.fullmatch(str(sid))]
    if odd and kind is not Kind.RESOURCE:
        problem = f"IAM refuses the Sid {odd[0]!r}"
        yield Finding("warning", place, "odd-sid", problem, "write letters and digits only")


def _inverted(statement: Mapping[str, object], where: str) -> Iterator[Finding]:
    for element in ("NotAction", "NotResource"):
        if element in statement and statement["Effect"] == "Allow":
            problem = f"{element} with Allow grants whatever is not listed, and what AWS adds later"
            yield Finding(
                "warning", f"{where}.{element}", "not-with-allow", problem, f"list what is meant under {element[3:]}"
            )
    if "NotPrincipal" in statement:
        problem = "AWS denies a session unless its role, its own ARN and its account are all listed"
        cure = 'use Principal "*" with ArnNotEquals aws:PrincipalArn'
        yield Finding("warning", f"{where}.NotPrincipal", "not-principal", problem, cure)


def _conditions(statement: Mapping[str, object], where: str, *, variables: bool) -> Iterator[Finding]:
    for operator, key, values in conditions(statement):
        place = f"{where}.Condition.{operator}.{key}"
        bare = operator.rpartition(":")[2].lower().removesuffix("ifexists")
        if (
            bare.startswith("string")
            and "like" not in bare
            and any("*" in value or "?" in value for value in _plain(values))
        ):
            problem = f"* and ? are plain characters under {operator}, so {values} never matches as a pattern"
            yield Finding("warning", place, "wildcard-not-like", problem, f"use {operator.replace('Equals', 'Like')}")
        if operator.lower().startswith("forallvalues:") and statement["Effect"] == "Allow":
            problem = "ForAllValues is true where the request has no such key at all"
            yield Finding("warning", place, "for-all-values", problem, f'add "Null": {{"{key}": "false"}}')
        of_type, cure = TYPED.get(key.lower(), ("", ""))
        if of_type and of_type not in bare and bare != "null":
            problem = f"{operator} compares {key} as a text"
            yield Finding("warning", place, "wrong-operator", problem, f"use {cure}")
        if not variables and any("${" in value for value in values):
            problem = "policy variables are plain text without Version 2012-10-17"
            yield Finding("warning", place, "variable-without-version", problem, 'write "Version": "2012-10-17"')
        if unknown_key(key):
            near = similar(key)
            problem = f"AWS has no condition key {key}, so it is never in a request"
            yield Finding(
                "warning",
                place,
                "unknown-key",
                problem,
                f"did you mean {near}?" if near else "see AWS's list of condition keys",
            )


def _plain(values: list[str]) -> list[str]:
    return [value.replace("${*}", "").replace("${?}", "") for value in values]


def _not_sts(statement: Mapping[str, object], where: str) -> Iterator[Finding]:
    for action in map(str, listed(statement.get("Action"))):
        if not action.lower().startswith("sts:") and action != "*":
            problem = f"AWS refuses {action} in a trust policy, which is about assuming the role alone"
            yield Finding("warning", f"{where}.Action", "not-sts", problem, "put it in a policy of the role")


def _unknown_principals(statement: Mapping[str, object], where: str, names: Names) -> Iterator[Finding]:
    principal = statement.get("Principal")
    for arn in map(str, listed(principal.get("AWS")) if isinstance(principal, Mapping) else []):
        if f":iam::{names.account}:" in arn and not arn.endswith(":root") and arn not in names.arns:
            problem = f"the account has no {arn}, and AWS refuses a principal that does not exist"
            yield Finding("warning", f"{where}.Principal.AWS", "principal-missing", problem, "name one that is there")


def _everyone(statement: Mapping[str, object], where: str) -> Iterator[Finding]:
    principal = statement.get("Principal")
    named = (
        principal
        if isinstance(principal, str)
        else listed(principal.get("AWS"))
        if isinstance(principal, Mapping)
        else []
    )
    if statement["Effect"] == "Allow" and "*" in named and not statement.get("Condition"):
        problem = "everybody in every account may assume the role who is allowed to at home"
        yield Finding("warning", f"{where}.Principal", "everyone", problem, "name accounts, roles or users")
