"""Made-up requests and policies that have much to do with each other, so that every answer is frequent.

A case is plain JSON, as policies are; both sides of a comparison read the same. The same seed gives the same cases.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from sts.policy import (
    Decision,
    Kind,
    Permissions,
    Policy,
    Principal,
    Request,
    assumes,
    authorize,
    parse,
    request,
    trusts,
)

HOME: Final = "111122223333"
AWAY: Final = "444455556666"
USER: Final = f"arn:aws:iam::{HOME}:user/team/alice"
ROLE: Final = f"arn:aws:iam::{HOME}:role/app/reader"
SESSION: Final = f"arn:aws:sts::{HOME}:assumed-role/reader/work"
PROVIDER: Final = f"arn:aws:iam::{HOME}:oidc-provider/issuer.example/abc"
TARGET: Final = f"arn:aws:iam::{HOME}:role/UpdateApp"

Document = dict[str, Any]


@dataclass
class Case:
    """One question to both sides."""

    principal: str
    action: str
    resource: str
    account: str
    context: dict[str, str | list[str]]
    identity: list[Document] = field(default_factory=list)
    boundary: Document | None = None
    session: Document | None = None
    policy: Document | None = None

    def ours(self) -> Decision:
        """What we decide."""
        trust = self.action.startswith("sts:")
        permissions = Permissions(
            identity=tuple(parse(document, Kind.IDENTITY, f"policy {i}") for i, document in enumerate(self.identity)),
            boundary=_parsed(self.boundary, Kind.BOUNDARY),
            session=None if self.session is None else (parse(self.session, Kind.SESSION, "session"),),
        )
        policy = _parsed(self.policy, Kind.TRUST if trust else Kind.RESOURCE)
        if trust and policy and ":oidc-provider/" in self.principal:
            return trusts(policy, self.request())
        if trust and policy:
            return assumes(policy, self.request(), permissions, role_account=self.account)
        return authorize(self.request(), permissions, resource_policy=policy, resource_account=self.account)

    def request(self) -> Request:
        """The request, without the keys that we would derive: the case says what is known."""
        asked = request(self.action, self.resource, self.caller(), self.context)
        given = {key.lower() for key in self.context}
        known = {key: value for key, value in asked.context.items() if key in given}
        return Request(asked.action, asked.resource, asked.principal, known)

    def caller(self) -> Principal:
        """The principal as we know it."""
        if ":assumed-role/" in self.principal:
            return Principal.role_session(ROLE, self.principal)
        if ":oidc-provider/" in self.principal:
            return Principal.web_identity(self.principal)
        if ":federated-user/" in self.principal:
            user = self.principal.replace(":sts:", ":iam:").replace("federated-user", "user")
            return Principal.federated_user(self.principal, user)
        return Principal.user(self.principal)


def _parsed(document: Document | None, kind: Kind) -> Policy | None:
    return None if document is None else parse(document, kind, kind.value)


ACTIONS: Final = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetObjectTagging"]
ACTION_PATTERNS: Final = ["s3:*", "*", "s3:Get*", "S3:getobject", "s3:?utObject", "s3:*Object", "sqs:*", "s3:*t*"]
RESOURCES: Final = [
    "arn:aws:s3:::data/home/alice/a.txt",
    "arn:aws:s3:::data/home/bob/b.txt",
    "arn:aws:s3:::data",
    "arn:aws:s3:::data/2026:11/log",
    "arn:aws:s3:::other/x",
]
RESOURCE_PATTERNS: Final = [
    "*",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::data*",
    "arn:aws:s3:::*/home/*/?.txt",
    "arn:aws:s3:::data/home/${aws:username}/*",
    "arn:aws:s3:::data/home/${aws:PrincipalTag/none, 'alice'}/*",
    "arn:aws:s3:::data/home/${aws:PrincipalTag/none}/*",
    "arn:aws:s3:::data/${*}",
    "arn:aws:s3:::o?her/*",
    "arn:*:s3:::data/home/*",
]
# key -> values that a request may have, values that a policy may ask for, operators of the type
STRINGS: Final = ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"]
CASELESS: Final = ["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"]
NUMBERS: Final = [
    f"Numeric{name}"
    for name in ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
]
DATES: Final = [name.replace("Numeric", "Date") for name in NUMBERS]
ARNS: Final = ["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"]
KEYS: Final[list[tuple[str, list[str], list[str], list[str]]]] = [
    (
        "aws:PrincipalTag/team",
        ["blue", "Blue", "red", "alice"],
        ["blue", "b*", "?ed", "BLUE", "${aws:username}", "${aws:nothing}", "${aws:nothing, 'red'}"],
        STRINGS + CASELESS,
    ),
    (
        "aws:UserAgent",
        ["a*", "ab", "a?", "a$", "alice*"],
        ["a${*}", "a${?}", "a${$}", "a*", "a?", "?${$}", "${aws:username}${*}", "${aws:username}*"],
        ["StringLike", "StringNotLike"],
    ),
    ("s3:prefix", ["home/alice/", "home/", "x"], ["home/*", "home/${aws:username}/", "home/", "*"], STRINGS),
    ("s3:max-keys", ["5", "10", "10.5", "1000"], ["10", "5.0", "100", "10.5"], NUMBERS),
    (
        "aws:CurrentTime",
        ["2026-11-24T00:00:00Z", "2026-11-25T12:30:00Z"],
        ["2026-11-24T00:00:00Z", "2026-11-24T01:00:00+01:00", "2026-11-25", "2027-01-01T00:00Z"],
        DATES,
    ),
    ("aws:SecureTransport", ["true", "false"], ["true", "false", "True"], ["Bool"]),
    (
        "aws:SourceIp",
        ["10.1.2.3", "203.0.113.9", "2001:db8::7"],
        ["10.0.0.0/8", "203.0.113.0/24", "2001:db8::/32", "10.1.2.3/32"],
        ["IpAddress", "NotIpAddress"],
    ),
    (
        "aws:SourceArn",
        ["arn:aws:sns:eu-west-1:111122223333:topic", "arn:aws:s3:::data", "arn:aws:sqs:us-east-1:444455556666:q:1"],
        ["arn:aws:sns:*:111122223333:*", "arn:aws:s3:::*", "arn:*:*:*:*:*", "arn:aws:sqs:us-east-?:444455556666:q*"],
        ARNS,
    ),
    ("lambda:Blob", ["QUJD", "QUJE"], ["QUJD", "QUFB"], ["BinaryEquals"]),
]
TRUST_KEYS: Final[list[tuple[str, list[str], list[str], list[str]]]] = [
    (
        "issuer.example/abc:sub",
        ["system:serviceaccount:default:demo", "system:serviceaccount:prod:app"],
        ["system:serviceaccount:default:*", "system:serviceaccount:default:demo", "system:serviceaccount:*:app", "*"],
        STRINGS + CASELESS,
    ),
    (
        "issuer.example/abc:aud",
        ["sts.amazonaws.com", "other"],
        ["sts.amazonaws.com", "STS.amazonaws.com", "sts*"],
        STRINGS + CASELESS,
    ),
    ("sts:ExternalId", ["12345", "abc"], ["12345", "a?c", "ABC"], STRINGS + CASELESS),
]
TAGS: Final = ["team", "cost", "Team", "stage"]
SETS: Final = ["ForAnyValue:", "ForAllValues:"]


def cases(seed: int, count: int) -> list[Case]:
    """`count` cases about S3, in the caller's account and in another."""
    dice = Random(seed)  # noqa: S311 -- no secret, a sample
    return [_case(dice) for _ in range(count)]


def trust_cases(seed: int, count: int) -> list[Case]:
    """`count` cases about assuming a role, by users, sessions and web identities."""
    dice = Random(seed)  # noqa: S311 -- no secret, a sample
    return [_trust_case(dice) for _ in range(count)]


def _trust_case(dice: Random) -> Case:
    web = dice.random() < 0.4
    case = Case(
        principal=dice.choice([PROVIDER, PROVIDER, PROVIDER + "2"]) if web else dice.choice([USER, SESSION]),
        action="sts:AssumeRoleWithWebIdentity" if web else "sts:AssumeRole",
        resource=TARGET,
        account=HOME if web else dice.choice([HOME, AWAY]),
        context={key: dice.choice(values) for key, values, _, _ in TRUST_KEYS if dice.random() < 0.8},
        policy={
            "Version": "2012-10-17",
            "Statement": [_trust_statement(dice, web=web) for _ in range(dice.choice([1, 2]))],
        },
    )
    if not web:
        case.identity = [_trust_grant(dice) for _ in range(dice.choice([0, 1, 1]))]
    return case


def _federated(dice: Random) -> Any:
    return dice.choice(["*", *[{"Federated": _some(dice, [PROVIDER, PROVIDER + "2", PROVIDER + "3"])}] * 3])


def _trust_statement(dice: Random, *, web: bool) -> Document:
    statement: Document = {
        "Effect": dice.choice(["Allow"] * 6 + ["Deny"]),
        "Action": _some(
            dice, ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:*", "sts:Assume*", "sts:TagSession"]
        ),
        "Principal": _federated(dice) if web else dice.choice([_federated(dice), _principal(dice), _principal(dice)]),
    }
    if dice.random() < 0.6:
        key, _, expected, operators = dice.choice(TRUST_KEYS)
        statement["Condition"] = {dice.choice(["", "", *SETS]) + dice.choice(operators): {key: _some(dice, expected)}}
    return statement


def _trust_grant(dice: Random) -> Document:
    resource = _some(dice, [TARGET, "arn:aws:iam::111122223333:role/*", "*", ROLE, "arn:aws:iam::*:role/Update???"])
    return {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": dice.choice(["Allow"] * 5 + ["Deny"]),
            "Action": "sts:AssumeRole",
            "Resource": resource,
        },
    }


def _case(dice: Random) -> Case:
    case = Case(
        principal=dice.choice([USER, SESSION, SESSION]),
        action=dice.choice(ACTIONS),
        resource=dice.choice(RESOURCES),
        account=dice.choice([HOME, HOME, AWAY]),
        context=_context(dice),
        identity=[_document(dice) for _ in range(dice.choice([0, 1, 1, 2]))],
    )
    if dice.random() < 0.25:
        case.boundary = _document(dice, generous=True)
    if dice.random() < 0.25 and case.principal == SESSION:
        case.session = _document(dice, generous=True)
    if dice.random() < 0.5 and (case.session is None or case.account == AWAY):
        case.policy = _document(dice, principals=True)
    return case


def _context(dice: Random) -> dict[str, str | list[str]]:
    context: dict[str, str | list[str]] = {"aws:username": "alice"} if dice.random() < 0.8 else {}
    for key, values, _, _ in KEYS:
        if dice.random() < 0.7:
            context[dice.choice([key, key.upper()])] = dice.choice(values)
    if dice.random() < 0.7:
        context["aws:TagKeys"] = dice.sample(TAGS, dice.choice([2, 3]))
    return context


def _document(dice: Random, *, generous: bool = False, principals: bool = False) -> Document:
    statements = [_statement(dice, generous=generous, principals=principals) for _ in range(dice.choice([1, 1, 2, 3]))]
    return {"Version": "2012-10-17", "Statement": statements if len(statements) > 1 else statements[0]}


def _statement(dice: Random, *, generous: bool, principals: bool) -> Document:
    statement: Document = {"Effect": dice.choice(["Allow"] * 5 + ["Deny"])}
    denied = statement["Effect"] == "Deny"
    statement[dice.choice(["Action"] * 5 + ["NotAction"])] = _some(dice, ACTION_PATTERNS + ACTIONS)
    statement[dice.choice(["Resource"] * 5 + ["NotResource"])] = _some(dice, RESOURCE_PATTERNS + RESOURCES)
    if generous and not denied:
        statement |= {"Action": "*", "Resource": "*"}
        statement.pop("NotAction", None)
        statement.pop("NotResource", None)
    if principals:
        statement["Principal"] = _principal(dice)
    if dice.random() < (0.8 if denied else 0.4):
        statement["Condition"] = _conditions(dice)
    return statement


def _principal(dice: Random) -> Any:
    named = [USER, ROLE, SESSION, HOME, AWAY, f"arn:aws:iam::{HOME}:root", f"arn:aws:iam::{HOME}:user/bob"]
    return dice.choice(["*", {"AWS": "*"}, {"AWS": _some(dice, named)}, {"AWS": _some(dice, named)}])


def _some(dice: Random, values: list[str]) -> str | list[str]:
    return dice.choice([dice.choice(values), dice.sample(values, 2), dice.sample(values, 3)])


def _conditions(dice: Random) -> Document:
    block: Document = {}
    for _ in range(dice.choice([1, 1, 2])):
        block.setdefault(*_operator(dice))
    return block


def _operator(dice: Random) -> tuple[str, Document]:
    if dice.random() < 0.15:
        return "Null", {dice.choice(KEYS)[0]: dice.choice(["true", "false", True, False])}
    if dice.random() < 0.2:
        wanted = _some(dice, [*TAGS, "t*", "*"])
        return dice.choice([*SETS, ""]) + dice.choice(STRINGS), {"aws:TagKeys": wanted}
    key, _, expected, operators = dice.choice(KEYS)
    suffix = dice.choice(["", "", "IfExists"])
    return dice.choice(operators) + suffix, {key: _some(dice, expected) if len(expected) > 2 else dice.choice(expected)}
