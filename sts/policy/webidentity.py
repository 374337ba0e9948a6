"""What goes wrong in a trust policy for an OIDC provider, and says nothing until a pod is refused, or let in.

The condition keys are `ISSUER:claim`, the issuer without `https://` and as the provider's ARN has it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from sts.policy.elements import actions
from sts.policy.glob import glob

CLAIMS: Final = ("sub", "aud", "amr", "oaud", "azp", "email")
Providers: TypeAlias = Mapping[str, tuple[str, ...]]
"""Client ids by provider ARN."""


class Finding(msgspec.Struct, frozen=True):
    """Something that is surely not meant.

    Attributes:
        level: `error` where AWS (and this STS) refuse the document, else `warning`.
        place: The document and the path in it.
        code: A short name that stays, for scripts.
        problem: What happens.
        cure: What would be right.
        line: The line in the file, from 1; 0 where that is not known.
    """

    level: str
    place: str
    code: str
    problem: str
    cure: str
    line: int = 0


def web_identity(
    statement: Mapping[str, object], where: str, providers: Providers | None, audience: str
) -> Iterator[Finding]:
    """The findings of one statement that trusts an OIDC provider; none for any other."""
    principal = statement.get("Principal")
    arns = listed(principal.get("Federated")) if isinstance(principal, Mapping) else []
    for arn in (str(arn) for arn in arns if ":oidc-provider/" in str(arn)):
        issuer = arn.partition(":oidc-provider/")[2]
        yield from _provider(arn, issuer, where, providers)
        clients = (audience,) if providers is None else providers.get(arn, (audience,))
        if statement["Effect"] == "Allow":
            yield from _action(statement, where)
            if _allows(statement, "sts:AssumeRoleWithWebIdentity"):
                yield from _no_subject(statement, issuer, where)
                yield from _no_audience(statement, issuer, where, clients)
            yield from _subjects(statement, issuer, where)
        yield from _audience(statement, issuer, where, clients)
        yield from _keys(statement, issuer, where)


def _provider(arn: str, issuer: str, where: str, providers: Providers | None) -> Iterator[Finding]:
    place = f"{where}.Principal.Federated"
    if issuer.startswith(("https://", "http://")):
        yield Finding("warning", place, "provider-with-scheme", f"{arn} has https:// in it", "leave https:// out")
    elif providers is not None and arn not in providers:
        problem = f"the account has no provider {arn}; nobody can assume the role by it"
        known = ", ".join(sorted(providers)) or "none"
        yield Finding("warning", place, "provider-missing", problem, f"create it, or name one that is there: {known}")


def _allows(statement: Mapping[str, object], action: str) -> bool:
    """Whether the statement is about an action; a document that was parsed has Action or NotAction."""
    inverted = "NotAction" in statement
    return actions(statement["NotAction" if inverted else "Action"], "", inverted=inverted)(action)


def _action(statement: Mapping[str, object], where: str) -> Iterator[Finding]:
    asked = ("sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity")
    if not any(_allows(statement, action) for action in asked):
        problem = "a web identity asks for sts:AssumeRoleWithWebIdentity, which this does not allow"
        yield Finding("warning", f"{where}.Action", "wrong-action", problem, "allow sts:AssumeRoleWithWebIdentity")


_NARROWS: Final = re.compile(r"(forallvalues:|foranyvalue:)?(stringequals(ignorecase)?|stringlike|arn(equals|like))")
# Namespaces are DNS labels, names of ServiceAccounts DNS subdomains.
_SUBJECT: Final = re.compile(r"system:serviceaccount:[a-z0-9]([-a-z0-9]*[a-z0-9])?:[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_PROBES: Final = ("system:serviceaccount:q7:w8", "system:serviceaccount:z-1:y.2")


def _no_subject(statement: Mapping[str, object], issuer: str, where: str) -> Iterator[Finding]:
    names = [operator for operator, key, _ in conditions(statement) if key.lower() == f"{issuer}:sub".lower()]
    if not any(_NARROWS.fullmatch(operator.lower()) for operator in names):
        problem = "without a condition on sub every ServiceAccount of the cluster may assume the role"
        cure = f'add "StringEquals": {{"{issuer}:sub": "system:serviceaccount:NAMESPACE:NAME"}}'
        yield Finding("warning", f"{where}.Condition", "no-subject", problem, cure)


def _subjects(statement: Mapping[str, object], issuer: str, where: str) -> Iterator[Finding]:
    for operator, key, values in conditions(statement):
        bare = operator.rpartition(":")[2].lower().removesuffix("ifexists")
        if key.lower() != f"{issuer}:sub".lower() or not bare.startswith("string") or "not" in bare:
            continue
        for value in values:
            yield from _subject(
                value.lower() if "ignorecase" in bare else value, f"{where}.Condition.{operator}.{key}", bare
            )


def _subject(value: str, place: str, operator: str) -> Iterator[Finding]:
    wild = operator == "stringlike" and ("*" in value or "?" in value)
    if "${" in value:
        return
    if wild and all(map(glob(value), _PROBES)):
        problem = f"{value!r} is every ServiceAccount of the cluster"
        yield Finding("warning", place, "any-subject", problem, "name the namespace")
    elif wild and value.startswith("system:serviceaccount:*:"):
        name = value.rpartition(":")[2]
        problem = f"whoever can make a namespace can make a ServiceAccount {name} in it"
        yield Finding("warning", place, "any-namespace", problem, "name the namespaces")
    elif (wild and not value.startswith(("system:serviceaccount:", "*"))) or not (wild or _plausible(value)):
        problem = f"{value!r} is no ServiceAccount's subject"
        cure = "write system:serviceaccount:NAMESPACE:NAME, if pods are meant"
        yield Finding("warning", place, "odd-subject", problem, cure)


def _plausible(value: str) -> bool:
    """Whether it is a subject; stars under StringEquals are another finding."""
    return bool(_SUBJECT.fullmatch(value.replace("*", "x").replace("?", "x")))


def _no_audience(
    statement: Mapping[str, object], issuer: str, where: str, clients: tuple[str, ...]
) -> Iterator[Finding]:
    if len(clients) > 1 and not any(key.lower() == f"{issuer}:aud".lower() for _, key, _ in conditions(statement)):
        problem = f"the provider takes tokens for {' and '.join(sorted(clients))}, and each will do"
        cure = f'add "StringEquals": {{"{issuer}:aud": "sts.amazonaws.com"}}'
        yield Finding("warning", f"{where}.Condition", "no-audience", problem, cure)


def _audience(statement: Mapping[str, object], issuer: str, where: str, clients: tuple[str, ...]) -> Iterator[Finding]:
    for operator, key, values in conditions(statement):
        bare = operator.rpartition(":")[2].lower()
        if key.lower() != f"{issuer}:aud".lower() or not bare.startswith("stringequals") or "ignorecase" in bare:
            continue
        if not set(values) & set(clients):
            problem = f"no token that the provider takes has the audience {' or '.join(values)}"
            cure = f"write {' or '.join(clients) or 'one of its client ids'}"
            yield Finding("warning", f"{where}.Condition.{operator}.{key}", "wrong-audience", problem, cure)


def _keys(statement: Mapping[str, object], issuer: str, where: str) -> Iterator[Finding]:
    for operator, key, _ in conditions(statement):
        name, colon, claim = key.rpartition(":")
        if not colon or name.lower() in {"aws", "sts"}:
            continue
        place = f"{where}.Condition.{operator}.{key}"
        if name.lower() != issuer.lower():
            problem = f"the keys of this provider begin with {issuer}: so this one is never in its requests"
            yield Finding("warning", place, "key-of-another-issuer", problem, f"write {issuer}:{claim}")
        elif claim.lower() not in CLAIMS:
            problem = f"AWS makes no condition key of the claim {claim}"
            yield Finding("warning", place, "unknown-claim", problem, f"use one of {', '.join(CLAIMS)}")


def conditions(statement: Mapping[str, object]) -> Iterator[tuple[str, str, list[str]]]:
    """Operator, key and values of each condition."""
    block = statement.get("Condition")
    for operator, keys in block.items() if isinstance(block, Mapping) else ():
        for key, values in keys.items():
            yield operator, key, [str(value) for value in listed(values)]


def listed(value: object) -> list[object]:
    """What stands alone or in a list, as a list."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
