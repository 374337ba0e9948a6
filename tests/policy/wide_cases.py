"""Made-up cases where everything meets everything: each operator under each qualifier, each principal in each place.

`condition_cases` have one condition block each, on keys with one value, several, an odd one or none;
`principal_cases` have every kind of caller, element and policy. Known disagreements are left out where they are made:
see `DISAGREEMENTS` in test_differential.py.
"""

from random import Random
from typing import Any, Final, NamedTuple

from tests.policy.cases import ARNS, AWAY, CASELESS, DATES, HOME, NUMBERS, ROLE, SESSION, STRINGS, USER, Case, Document

FEDERATED: Final = f"arn:aws:sts::{HOME}:federated-user/alice"
FEDERATION: Final = f"arn:aws:iam::{HOME}:user/alice"  # the user who asked for it
STRANGER: Final = f"arn:aws:iam::{AWAY}:user/carol"
OWNER: Final = f"arn:aws:iam::{HOME}:root"
SERVICE: Final = "ec2.amazonaws.com"
NAMED: Final = [USER, ROLE, SESSION, HOME, AWAY, OWNER, FEDERATED, FEDERATION, STRANGER]
QUALIFIERS: Final = ["", "ForAnyValue:", "ForAllValues:"]
SUFFIXES: Final = ["", "IfExists"]


class Kind(NamedTuple):
    """Operators of one type, values that a request may have, and values that a policy may ask for."""

    name: str
    operators: list[str]
    seen: list[str]
    wanted: list[str]


KINDS: Final = [
    Kind(
        "String",
        STRINGS + CASELESS,
        ["blue", "Blue", "b*", "b?", "a$", "", "alice", "red:x"],
        [
            *("blue", "b*", "?lue", "BLUE", "*", "${aws:username}", "${aws:none}", "${aws:none, 'red:x'}"),
            *("${AWS:UserName}*", "${svc:Odd}", "*${aws:username}*"),
        ],
    ),
    Kind(
        "Escape",
        ["StringLike", "StringNotLike"],
        ["b*", "b?", "a$", "bb", "a"],
        ["b${*}", "b${?}", "a${$}", "?${*}", "*${$}", "a${$}*"],
    ),
    Kind("Number", NUMBERS, ["5", "10", "-3", "10.5", "ten", "0010", "+5"], ["10", "5.0", "-3", "10.5", "0"]),
    Kind(
        "Date",
        DATES,
        ["2026-11-24T00:00:00Z", "2026-11-25T12:30:00Z", "1764028800", "2026-11-24", "never"],
        ["2026-11-24T00:00:00Z", "2026-11-24T01:00:00+01:00", "2026-11-25", "1764028800"],
    ),
    Kind("Flag", ["Bool"], ["true", "false", "TRUE", "yes"], ["true", "false", "True", "${svc:FlagOne}"]),
    Kind(
        "Address",
        ["IpAddress", "NotIpAddress"],
        ["10.1.2.3", "203.0.113.9", "2001:db8::7", "localhost"],
        ["10.0.0.0/8", "203.0.113.9/32", "2001:db8::/32", "2001:db8::7/128"],
    ),
    Kind(
        "Arn",
        ARNS,
        ["arn:aws:sns:eu-west-1:111122223333:topic", "arn:aws:s3:::data", "arn:aws:sqs:us-east-1:444455556666:q:1"],
        [
            *("arn:aws:sns:*:111122223333:*", "arn:aws:s3:::*", "arn:*:*:*:*:*", "arn:aws:s3:::d?ta"),
            *("arn:aws:sqs:us-east-?:444455556666:q*", "arn:aws:sns:*:*:${svc:Odd, 'topic'}"),
        ],
    ),
    Kind("Blob", ["BinaryEquals"], ["QUJD", "QUJE", "***"], ["QUJD", "QUFB"]),
]


ALL: Final = [
    *(
        (kind, name, qualifier, end)
        for kind in KINDS
        for name in kind.operators
        for qualifier in QUALIFIERS
        for end in SUFFIXES
    ),
    *((kind, "Null", "", "") for kind in KINDS),
]


def condition_cases(seed: int, count: int) -> list[Case]:
    """`count` cases of a user whom one condition, or two, lets or stops."""
    dice = Random(seed)  # noqa: S311 -- no secret, a sample
    return [_condition_case(dice, number) for number in range(count)]


def principal_cases(seed: int, count: int) -> list[Case]:
    """`count` cases of who asks, in whose account, under which policies."""
    dice = Random(seed)  # noqa: S311 -- no secret, a sample
    return [_principal_case(dice) for _ in range(count)]


def _condition_case(dice: Random, number: int) -> Case:
    context = _context(dice)
    block = _condition(dice, context, ALL[number % len(ALL)])
    if dice.random() < 0.3:
        block = _condition(dice, context, dice.choice(ALL)) | block
    statement = {"Action": "*", "Resource": "*", "Condition": block}
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    statements = dice.choice([[statement | {"Effect": "Allow"}], [allow, statement | {"Effect": "Deny"}]])
    document = {"Version": "2012-10-17", "Statement": statements}
    return Case(USER, "s3:GetObject", "arn:aws:s3:::data/x", HOME, context, [document])


def _context(dice: Random) -> dict[str, str | list[str]]:
    context: dict[str, str | list[str]] = {"aws:username": "alice"} if dice.random() < 0.8 else {}
    for kind in KINDS:
        if dice.random() < 0.8:
            context[f"svc:{kind.name}One"] = dice.choice(kind.seen)
        if dice.random() < 0.8:
            context[f"svc:{kind.name}Many"] = dice.sample(kind.seen, dice.choice([1, 2, 2, 3]))
    return context


def _condition(dice: Random, context: dict[str, str | list[str]], combination: tuple[Kind, str, str, str]) -> Document:
    """One operator on one key; nothing where the evaluators are known to differ."""
    kind, operator, qualifier, suffix = combination
    key = f"svc:{kind.name}" + dice.choice(["One", "One", "Many", "Many", "None"])
    if operator == "Null":
        return {"Null": {key: dice.choice(["true", "false", True, False])}}
    if _disputed(qualifier, suffix, context.get(key)):
        return {}
    wanted = dice.sample(kind.wanted, dice.choice([1, 1, 2]))
    return {f"{qualifier}{_spelled(dice, operator)}{suffix}": {key: wanted if len(wanted) > 1 else wanted[0]}}


def _spelled(dice: Random, name: str) -> str:
    """Operators ignore case."""
    return dice.choice([name] * 5 + [name.lower()])


def _disputed(qualifier: str, suffix: str, seen: str | list[str] | None) -> bool:
    if seen is None:
        return bool(qualifier == "ForAnyValue:" and suffix)
    if qualifier:
        return "" in ([seen] if isinstance(seen, str) else seen)
    return isinstance(seen, list) and len(seen) == 1


def _principal_case(dice: Random) -> Case:
    case = Case(
        principal=dice.choice([USER, SESSION, SESSION, FEDERATED, STRANGER]),
        action="s3:GetObject",
        resource=dice.choice(["arn:aws:s3:::data/home/alice/a.txt", "arn:aws:s3:::other/x"]),
        account=dice.choice([HOME, HOME, AWAY]),
        context={"aws:username": "alice"} if dice.random() < 0.8 else {},
        identity=[_document(dice) for _ in range(dice.choice([0, 1, 2]))],
    )
    if dice.random() < 0.35:
        case.boundary = _document(dice)
    if dice.random() < 0.35 and case.principal in {SESSION, FEDERATED}:
        case.session = _document(dice)
    if dice.random() < 0.7:
        case.policy = _document(dice, case)
    return case


def _document(dice: Random, case: Case | None = None) -> Document:
    """A policy of the caller, or (with the case) the bucket's."""
    statements = [_statement(dice, case) for _ in range(dice.choice([1, 1, 2]))]
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(dice: Random, case: Case | None) -> Document:
    statement: Document = {
        "Effect": dice.choice(["Allow"] * 5 + ["Deny"]),
        dice.choice(["Action"] * 4 + ["NotAction"]): _some(dice, ["s3:*", "*", "s3:Get*", "sqs:*", "s3:GetObject"]),
        dice.choice(["Resource"] * 4 + ["NotResource"]): _some(
            dice,
            ["*", "arn:aws:s3:::data/*", "arn:aws:s3:::other/*", "arn:aws:s3:::data/home/${aws:username}/*"],
        ),
    }
    if case is None:
        return statement
    if statement["Effect"] == "Deny" and dice.random() < 0.4:
        return statement | {"NotPrincipal": {"AWS": _exempt(dice, case)}}
    return statement | {"Principal": _principal(dice, limited=case.session is not None and case.account == HOME)}


def _exempt(dice: Random, case: Case) -> list[str]:
    """Either the caller with all that stands for it, or nobody near it: between the two the evaluators differ."""
    if dice.random() < 0.5:
        return [HOME, AWAY, USER, ROLE, SESSION, FEDERATED, FEDERATION, STRANGER]
    return [f"arn:aws:iam::{HOME}:user/bob", STRANGER if case.principal != STRANGER else USER]


def _principal(dice: Random, *, limited: bool) -> Any:
    """Whom a bucket's policy names; `limited` leaves out what is above session policies."""
    named = [name for name in NAMED if not (limited and name in {SESSION, FEDERATED})]
    one = {"AWS": _some(dice, named)}
    return dice.choice([one, one, one, {"Service": SERVICE}, one | {"Service": SERVICE}, *([] if limited else ["*"])])


def _some(dice: Random, values: list[str]) -> str | list[str]:
    return dice.choice([dice.choice(values), dice.sample(values, 2), dice.sample(values, 3)])
