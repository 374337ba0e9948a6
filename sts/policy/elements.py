"""Action, Resource and Principal, and their Not forms, compiled to functions."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from sts.policy.errors import PolicyError
from sts.policy.glob import compiled, glob
from sts.policy.model import Grant, Principal, PrincipalKind
from sts.policy.variables import Context, template

Actions: TypeAlias = Callable[[str], bool]
Resources: TypeAlias = Callable[[str, Context], bool]
Principals: TypeAlias = Callable[[Principal], Grant]

_ARN_PARTS: Final = 6
_ACTION: Final = re.compile(r"\*|\*:\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+", re.ASCII)
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)
_ROOT: Final = re.compile(r"arn:[a-z-]+:iam::(\d{12}):root", re.ASCII)
_UNIQUE_ID: Final = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}", re.ASCII)
_PRINCIPAL_ARN: Final = re.compile(
    r"arn:[a-z-]+:(iam::(\d{12}:(user|role|saml-provider)|cloudfront:user)/.+"
    r"|sts::\d{12}:(assumed-role/[^/]+/.+|federated-user/.+))",
    re.ASCII,
)
_PROVIDER: Final = re.compile(r"arn:[a-z-]+:iam::\d{12}:(oidc-provider|saml-provider)/.+", re.ASCII)
_WITHOUT_ACCOUNT: Final = frozenset({PrincipalKind.ANONYMOUS, PrincipalKind.SERVICE, PrincipalKind.WEB_IDENTITY})
_OLD_PROVIDERS: Final = frozenset(
    {"accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"}
)


def actions(value: object, place: str, *, inverted: bool) -> Actions:
    """Whether an action is meant; service and name ignore case."""
    exact: set[str] = set()
    patterns: list[Callable[[str], bool]] = []
    for text in texts(value, place):
        if not _ACTION.fullmatch(text):
            raise PolicyError(
                place, f"{text!r} is no action", "write service:Name, such as sts:AssumeRole, s3:Get* or *"
            )
        lower = text.lower()
        if "*" in lower or "?" in lower:
            patterns.append(glob(lower))
        else:
            exact.add(lower)

    if not patterns:
        return lambda action: (action.lower() in exact) is not inverted

    def match(action: str) -> bool:
        lower = action.lower()
        return (lower in exact or any(pattern(lower) for pattern in patterns)) is not inverted

    return match


def resources(value: object, place: str, *, inverted: bool, variables: bool) -> Resources:
    """Whether an ARN is meant; case counts. With a variable that has no value the statement speaks of no request."""
    tests = [_resource(text, place, variables=variables) for text in texts(value, place)]
    if inverted:
        return lambda arn, context: all(test(arn, context) is False for test in tests)
    if len(tests) == 1:
        return lambda arn, context: tests[0](arn, context) is True
    return lambda arn, context: any(test(arn, context) for test in tests)


def _resource(text: str, place: str, *, variables: bool) -> Callable[[str, Context], bool | None]:
    segments = text.split(":", 5)
    if text != "*" and not (text.startswith("arn:") and (len(segments) == _ARN_PARTS or text.endswith("*"))):
        raise PolicyError(place, f"{text!r} is no resource", "write an ARN such as arn:aws:s3:::bucket/*, or *")
    filled = template(text, place, wildcards=True) if variables else None
    if filled is None:
        matches = _by_segments(segments) if _bound_to_segments(segments) else glob(text)
        return lambda arn, _: matches(arn)

    def test(arn: str, context: Context) -> bool | None:
        parts = filled.tokens(context)
        return None if parts is None else compiled(parts)(arn)

    return test


def _bound_to_segments(segments: list[str]) -> bool:
    """A wildcard inside one of an ARN's first five parts stays in it; a star at a part's end reaches over colons."""
    return len(segments) == _ARN_PARTS and any("*" in part[:-1] or "?" in part for part in segments[:5])


def _by_segments(segments: list[str]) -> Callable[[str], bool]:
    patterns = [glob(segment) for segment in segments]

    def match(arn: str) -> bool:
        parts = arn.split(":", 5)
        return len(parts) == _ARN_PARTS and all(fits(part) for fits, part in zip(patterns, parts, strict=True))

    return match


def principals(value: object, place: str, *, inverted: bool) -> Principals:
    """How a principal element names a caller; of NotPrincipal, whom it does not exempt."""
    named = _Principals()
    if value == "*":
        named.everyone = True
    elif isinstance(value, Mapping):
        for key, entries in value.items():
            named.add(str(key), texts(entries, f"{place}.{key}"), f"{place}.{key}")
    else:
        raise PolicyError(
            place, f"{value!r} is no principal", 'write "*" or an object such as {"AWS": "arn:aws:iam::…:root"}'
        )
    if not inverted:
        return named.grant
    return lambda principal: Grant.NONE if named.exempts(principal) else Grant.DIRECT


class _Principals:
    """The entries of one principal element, by what they are."""

    def __init__(self) -> None:
        self.everyone = False
        self.accounts: set[str] = set()
        self.names: set[str] = set()
        self.services: set[str] = set()
        self.federated: set[str] = set()

    def add(self, key: str, entries: Iterable[str], place: str) -> None:
        for entry in entries:
            match key:
                case "AWS":
                    self._aws(entry, place)
                case "Service":
                    self._service(entry, place)
                case "Federated":
                    self._provider(entry, place)
                case "CanonicalUser":
                    self.names.add(entry)
                case _:
                    raise PolicyError(
                        place, f"{key!r} is no kind of principal", "use AWS, Federated, Service or CanonicalUser"
                    )

    def _aws(self, entry: str, place: str) -> None:
        root = _ROOT.fullmatch(entry)
        if entry == "*":
            self.everyone = True
        elif root or _ACCOUNT.fullmatch(entry):
            self.accounts.add(root[1] if root else entry)
        elif "*" in entry or "?" in entry:
            raise PolicyError(
                place,
                f"{entry!r} has a wildcard, which a principal may not",
                "name it whole, or use * and ArnLike aws:PrincipalArn",
            )
        elif _PRINCIPAL_ARN.fullmatch(entry) or _UNIQUE_ID.fullmatch(entry):
            self.names.add(entry)
        else:
            raise PolicyError(
                place, f"{entry!r} is no AWS principal", "write the ARN of a user, role or session, an account, or *"
            )

    def _service(self, entry: str, place: str) -> None:
        if "*" in entry or "." not in entry:
            raise PolicyError(place, f"{entry!r} is no service", "write its name, such as ec2.amazonaws.com")
        self.services.add(entry)

    def _provider(self, entry: str, place: str) -> None:
        if not (_PROVIDER.fullmatch(entry) or entry in _OLD_PROVIDERS or entry == "*"):
            raise PolicyError(
                place,
                f"{entry!r} is no identity provider",
                "write arn:aws:iam::ACCOUNT:oidc-provider/ISSUER-WITHOUT-https://",
            )
        self.federated.add(entry)

    def exempts(self, who: Principal) -> bool:
        """Whether NotPrincipal lists the caller whole: its account, of a session its role (or user) too, and itself.

        The documentation says that the account must be listed as well: AWS checks account, role and session one after
        the other, and denies at the first that is not.
        """
        if self.everyone or who.kind in _WITHOUT_ACCOUNT:
            return self.grant(who) is Grant.DIRECT
        if who.account not in self.accounts:
            return False
        itself = who.arn in self.names or who.arn == who.issuer
        return who.kind is PrincipalKind.ROOT or (itself and self._lists(who.issuer, who.unique_id))

    def _lists(self, arn: str, unique_id: str) -> bool:
        return arn in self.names or (unique_id != "" and unique_id in self.names)

    def grant(self, who: Principal) -> Grant:
        """The strongest way in which an entry names the caller."""
        if who.kind is PrincipalKind.WEB_IDENTITY:
            return Grant.DIRECT if self.everyone or who.arn in self.federated or "*" in self.federated else Grant.NONE
        if who.kind is PrincipalKind.SERVICE:
            return Grant.DIRECT if who.arn in self.services or self.everyone else Grant.NONE
        if self.everyone or who.arn in self.names:
            return Grant.DIRECT
        if self._lists(who.issuer, who.unique_id):
            return Grant.ISSUER if who.issuer != who.arn else Grant.DIRECT
        return Grant.ACCOUNT if who.account in self.accounts else Grant.NONE


def texts(value: object, place: str) -> list[str]:
    """One string or a list of strings, as IAM lets both be written."""
    many = value if isinstance(value, list | tuple) else [value]
    wrong = next((entry for entry in many if not isinstance(entry, str) or not entry), None)
    if not many or wrong is not None or "" in many:
        raise PolicyError(place, f"{value!r} stands here", "write a string, or a list of strings that is not empty")
    return [str(entry) for entry in many]
