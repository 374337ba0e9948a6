"""What is legal in a policy and yet surely not meant: found before AWS, or a pod, finds it out.

Each finding names its place, what would happen, and the cure. A document that AWS would refuse is one finding of level
`error`; the rest are warnings. `webidentity` has what concerns trust in an OIDC provider.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from sts.policy.errors import PolicyError
from sts.policy.model import Kind
from sts.policy.parse import decoded, parse
from sts.policy.webidentity import Finding, Providers, conditions, listed, web_identity

# Characters without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
SIZES: Final = {Kind.TRUST: 2048, Kind.SESSION: 2048, Kind.IDENTITY: 6144, Kind.BOUNDARY: 6144, Kind.RESOURCE: 20480}

_GLOBAL_KEYS: Final = frozenset(
    f"aws:{key}".lower()
    for key in re.findall(
        r"\w+",
        """
        CalledVia CalledViaFirst CalledViaLast ChatbotSourceArn CurrentTime Ec2InstanceSourceVpc
        Ec2InstanceSourcePrivateIPv4 EpochTime FederatedProvider MultiFactorAuthAge MultiFactorAuthPresent
        PrincipalAccount PrincipalArn PrincipalIsAWSService PrincipalOrgID PrincipalOrgPaths
        PrincipalServiceName PrincipalServiceNamesList PrincipalType Referer RequestedRegion ResourceAccount
        ResourceOrgID ResourceOrgPaths SecureTransport SourceAccount SourceArn SourceIdentity SourceIp
        SourceOrgID SourceOrgPaths SourceVpc SourceVpcArn SourceVpce TagKeys TokenIssueTime UserAgent userid
        username ViaAWSService VpcSourceIp VpceAccount VpceOrgID VpceOrgPaths AssumedRoot SigninAuthContext
        IsMcpServiceAction SourceVpcAccount
        """,
    )
)
_TAG_KEYS: Final = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")
_STS_KEYS: Final = frozenset(
    f"sts:{key}".lower()
    for key in re.findall(
        r"\w+",
        """
        AWSServiceName DurationSeconds ExternalId RequestContext RequestContextProviders RoleSessionName
        SourceIdentity TaskPolicyArn TransitiveTagKeys IdentityTokenAudience SigningAlgorithm
        RoleAuthorizedByIdp
        """,
    )
)


def lint(
    document: object, kind: Kind, place: str, *, providers: Providers | None = None, audience: str = "sts.amazonaws.com"
) -> list[Finding]:
    """The findings in a document, in its order.

    `providers` are those of the role's account, by ARN, with their client ids; None where they are not known, and
    `audience` is then what tokens are taken to carry.
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
            found += web_identity(statement, where, providers, audience)
    return found


def _whole(content: Mapping[str, object], kind: Kind, place: str) -> Iterator[Finding]:
    size = len("".join(msgspec.json.encode(content).decode().split()))
    if size > SIZES[kind]:
        cure = "split it, or shorten its lists" + (" (a quota can raise it to 4096)" if kind is Kind.TRUST else "")
        yield Finding("warning", place, "too-long", f"{size} characters, and AWS takes {SIZES[kind]}", cure)
    sids = [each.get("Sid") for each in listed(content["Statement"]) if isinstance(each, Mapping) and each.get("Sid")]
    if len(set(map(str, sids))) < len(sids):
        yield Finding("warning", place, "sid-twice", "a Sid stands twice, which AWS refuses", "give each its own")


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
        if not variables and any("${" in value for value in values):
            problem = "policy variables are plain text without Version 2012-10-17"
            yield Finding("warning", place, "variable-without-version", problem, 'write "Version": "2012-10-17"')
        if unknown_key(key):
            problem = f"AWS has no condition key {key}, so it is never in a request"
            yield Finding("warning", place, "unknown-key", problem, "see AWS's list of condition keys")


def _plain(values: list[str]) -> list[str]:
    return [value.replace("${*}", "").replace("${?}", "") for value in values]


def unknown_key(key: str) -> bool:
    """Whether a key of `aws:` or `sts:`, whose keys are all known, is none of them."""
    lower = key.lower()
    if lower.startswith("aws:"):
        return lower not in _GLOBAL_KEYS and not lower.startswith(_TAG_KEYS)
    return lower.startswith("sts:") and lower not in _STS_KEYS


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
