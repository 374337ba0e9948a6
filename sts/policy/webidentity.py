"""What goes wrong in a trust policy for an OIDC provider, and says nothing until a pod is refused, or let in.

The condition keys are `ISSUER:claim`, the issuer without `https://` and as the provider's ARN has it.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

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
    """

    level: str
    place: str
    code: str
    problem: str
    cure: str


def web_identity(
    statement: Mapping[str, object], where: str, providers: Providers | None, audience: str
) -> Iterator[Finding]:
    """The findings of one statement that trusts an OIDC provider; none for any other."""
    principal = statement.get("Principal")
    arns = listed(principal.get("Federated")) if isinstance(principal, Mapping) else []
    for arn in (str(arn) for arn in arns if ":oidc-provider/" in str(arn)):
        issuer = arn.partition(":oidc-provider/")[2]
        yield from _provider(arn, issuer, where, providers)
        if statement["Effect"] == "Allow":
            yield from _action(statement, where)
            yield from _subject(statement, issuer, where)
            clients = (audience,) if providers is None else providers.get(arn, (audience,))
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


def _action(statement: Mapping[str, object], where: str) -> Iterator[Finding]:
    actions = [str(action).lower() for action in listed(statement.get("Action"))]
    if actions and not any(
        action in {"*", "sts:*"} or "webidentity" in action or "assume*" in action for action in actions
    ):
        problem = "a web identity asks for sts:AssumeRoleWithWebIdentity, which this does not allow"
        yield Finding("warning", f"{where}.Action", "wrong-action", problem, "allow sts:AssumeRoleWithWebIdentity")


def _subject(statement: Mapping[str, object], issuer: str, where: str) -> Iterator[Finding]:
    named = [(op, values) for op, key, values in conditions(statement) if key.lower() == f"{issuer}:sub".lower()]
    place = f"{where}.Condition"
    if not any("not" not in operator.lower() and not operator.lower().endswith("ifexists") for operator, _ in named):
        problem = "without a condition on sub every ServiceAccount of the cluster may assume the role"
        cure = f'add "StringEquals": {{"{issuer}:sub": "system:serviceaccount:NAMESPACE:NAME"}}'
        yield Finding("warning", place, "no-subject", problem, cure)
    for operator, values in named:
        for value in values:
            if "like" in operator.lower() and value in {"*", "system:serviceaccount:*", "system:serviceaccount:*:*"}:
                problem = f"{value!r} is every ServiceAccount of the cluster"
                yield Finding(
                    "warning", f"{place}.{operator}.{issuer}:sub", "any-subject", problem, "name the namespace"
                )
            elif not value.startswith(("system:serviceaccount:", "*", "${")):
                problem = f"{value!r} is no ServiceAccount's subject"
                yield Finding(
                    "warning",
                    f"{place}.{operator}.{issuer}:sub",
                    "odd-subject",
                    problem,
                    "write system:serviceaccount:NAMESPACE:NAME, if pods are meant",
                )


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
