"""From a document as people have them to a `Policy`: an object, JSON text (Terraform) or URL-encoded JSON (IAM's API).

Strict: an element, operator or value that is not understood is an error here, since ignoring it would grant or refuse
something that AWS would not. Sizes are bounded before anything is read.
"""

import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from sts.policy.conditions import conditions
from sts.policy.elements import actions, principals, resources
from sts.policy.errors import PolicyError
from sts.policy.model import Kind, Policy, Statement

VERSIONS: Final = ("2012-10-17", "2008-10-17")
MAX_TEXT: Final = 131_072
MAX_STATEMENTS: Final = 1000

_TOP: Final = frozenset({"Version", "Id", "Statement"})
_ELEMENTS: Final = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)


def parse(document: object, kind: Kind, place: str) -> Policy:
    """The policy that `document` is; `place` names it in errors and decisions, such as `role s3-reader: trust`.

    Raises:
        PolicyError: What is wrong, at which path, and what would be right.
    """
    content = decoded(document, place)
    _no_other(content, _TOP, place)
    version = content.get("Version", "2008-10-17")
    if version not in VERSIONS:
        raise PolicyError(f"{place}: Version", f"{version!r} is no policy version", 'write "2012-10-17"')
    written = content.get("Statement")
    many = written if isinstance(written, list | tuple) else [written]
    if not many or len(many) > MAX_STATEMENTS:
        raise PolicyError(f"{place}: Statement", f"{len(many)} statements", f"write 1 to {MAX_STATEMENTS}")
    statements = [
        _statement(each, kind, place, index, variables=version == VERSIONS[0]) for index, each in enumerate(many)
    ]
    return Policy(place, kind, str(version), tuple(statements))


def decoded(document: object, place: str) -> Mapping[str, object]:
    """The document as an object, whichever of the three forms it has; PolicyError where it is none of them."""
    if isinstance(document, str):
        document = _read(document, place)
    if not isinstance(document, Mapping):
        raise PolicyError(place, f"a {type(document).__name__} is no policy document", "write an object with Statement")
    return document


def _read(text: str, place: str) -> object:
    if len(text) > MAX_TEXT:
        raise PolicyError(place, f"{len(text)} characters", f"a policy has at most {MAX_TEXT}")
    plain = unquote(text) if text.lstrip()[:1] == "%" else text
    try:
        return json.loads(plain, object_pairs_hook=lambda pairs: _once(pairs, place))
    except PolicyError:
        raise
    except (ValueError, RecursionError) as broken:  # ValueError also where a number has thousands of digits
        raise PolicyError(place, f"no JSON: {broken}", "write the policy as a JSON object") from broken


def _once(pairs: list[tuple[str, object]], place: str) -> dict[str, object]:
    """The object; a key that stands there twice is refused, since readers disagree on which one counts."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise PolicyError(place, f"{key!r} stands twice in one object", "write it once, with a list of values")
        found[key] = value
    return found


def _no_other(content: Mapping[str, object], known: frozenset[str], place: str) -> None:
    for key in content:
        if key not in known:
            raise PolicyError(f"{place}: {key}", "this is no element of a policy", f"use {', '.join(sorted(known))}")


def _statement(written: object, kind: Kind, place: str, index: int, *, variables: bool) -> Statement:
    where = f"{place}: Statement[{index}]"
    if not isinstance(written, Mapping):
        raise PolicyError(where, f"{written!r} is no statement", "write an object with Effect and Action")
    _no_other(written, _ELEMENTS, where)
    effect = written.get("Effect")
    if effect not in ("Allow", "Deny"):  # a set would hash what may be a list
        raise PolicyError(f"{where}.Effect", f"{effect!r} is no effect", "write Allow or Deny")
    sid = written.get("Sid", "")
    if not isinstance(sid, str):
        raise PolicyError(f"{where}.Sid", f"{sid!r} is no statement id", "write a string")
    action = _one_of(written, "Action", where, required=True)
    resource = _one_of(written, "Resource", where, required=kind is not Kind.TRUST)
    principal = _one_of(written, "Principal", where, required=kind.names_principals)
    if principal and not kind.names_principals:
        raise PolicyError(f"{where}.{principal}", f"a policy of kind {kind.value} names no principal", "leave it out")
    if principal == "NotPrincipal" and (effect == "Allow" or kind is Kind.TRUST):
        problem = "NotPrincipal works with Deny in resource policies only"
        raise PolicyError(f"{where}.NotPrincipal", problem, 'use Principal "*" and ArnNotLike aws:PrincipalArn')
    if resource and kind is Kind.TRUST:
        raise PolicyError(f"{where}.{resource}", "a trust policy has no resource: it is the role's", "leave it out")
    return Statement(
        label=sid or f"Statement[{index}]",
        allows=effect == "Allow",
        action=actions(written[action], f"{where}.{action}", inverted=action == "NotAction"),
        resource=resources(
            written[resource], f"{where}.{resource}", inverted=resource == "NotResource", variables=variables
        )
        if resource
        else None,
        principal=principals(written[principal], f"{where}.{principal}", inverted=principal == "NotPrincipal")
        if principal
        else None,
        exempting=principal == "NotPrincipal",
        conditions=conditions(written.get("Condition", {}), f"{where}.Condition", variables=variables),
    )


def _one_of(written: Mapping[str, object], name: str, where: str, *, required: bool) -> str:
    """Which of `Name` and `NotName` the statement has; empty where neither."""
    there = [key for key in (name, f"Not{name}") if key in written]
    if len(there) > 1:
        raise PolicyError(where, f"{name} and Not{name} exclude each other", "leave one out")
    if required and not there:
        raise PolicyError(where, f"{name} is missing", f"add {name} (or Not{name})")
    return there[0] if there else ""
