# ruff: noqa: E501 -- a case of a table is a line
"""The shapes of the API: ours are those of AWS's own service model, and what breaks them is said in its words."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as some

from sts import constraints
from sts.actions import access_key_info, assume_role, session_token, web_identity
from sts.constraints import Shape
from sts.sigv4 import HttpRequest
from tests.sts.world import ACCOUNT, USER_KEY, World, signed_request

MODEL = get_session().get_service_model("sts")
OURS: dict[str, tuple[Mapping[str, Shape], Mapping[str, range]]] = {
    "AssumeRole": (assume_role._SHAPES, assume_role.NUMBERS),
    "AssumeRoleWithWebIdentity": (web_identity._SHAPES, assume_role.NUMBERS),
    "GetAccessKeyInfo": (access_key_info._SHAPES, {}),
    "GetCallerIdentity": ({}, {}),
    "GetSessionToken": (session_token._SHAPES, session_token._NUMBERS),
}


def limits(shape: Any, *, required: bool) -> tuple[object, ...]:
    """What AWS's model says of a text."""
    found = shape.metadata
    return found.get("min", 0), found.get("max", 0), found.get("pattern", ""), required


def ours(shape: Shape) -> tuple[object, ...]:
    return shape.shortest, shape.longest, shape.pattern, shape.required


@pytest.mark.parametrize("action", OURS)
def test_texts_and_numbers_are_the_models(action: str) -> None:
    """Every one of them: limits, pattern, whether it is needed, and no other."""
    texts, numbers = OURS[action]
    shape = MODEL.operation_model(action).input_shape
    members = shape.members if shape else {}
    theirs = {
        name: limits(member, required=name in shape.required_members)
        for name, member in members.items()
        if member.type_name == "string"
    }
    assert theirs == {name: ours(text) for name, text in texts.items()}
    ranges = {
        name: range(member.metadata["min"], member.metadata["max"] + 1)
        for name, member in members.items()
        if member.type_name == "integer"
    }
    assert ranges == dict(numbers)


def test_entries_of_lists_are_the_models() -> None:
    """Tags, and ARNs of policies."""
    members = MODEL.operation_model("AssumeRole").input_shape.members
    tag, arn = members["Tags"].member.members, members["PolicyArns"].member.members["arn"]
    assert limits(tag["Key"], required=True) == ours(constraints.TAG_KEY)
    assert limits(tag["Value"], required=True) == ours(constraints.TAG_VALUE)
    assert limits(arn, required=True) == ours(constraints.POLICY_ARN)
    assert (50, 50) == tuple(members[name].metadata["max"] for name in ("Tags", "TransitiveTagKeys"))


def call(here: World, **changes: Any) -> tuple[int, bytes]:
    """A web identity call with some parameters changed; None leaves one out."""
    form = {
        "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "session",
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/s3-reader", "WebIdentityToken": here.issuer.token(), **changes,
    }  # fmt: skip
    body = urlencode({name: value for name, value in form.items() if value is not None}).encode()
    headers = [("host", "sts.test"), ("content-type", "application/x-www-form-urlencoded")]
    return here.send(HttpRequest("POST", "/", headers, body))


TAKEN: dict[str, dict[str, Any]] = {
    "zeros before a number": {"DurationSeconds": "0900"},
    "a sign before it": {"DurationSeconds": "+900"},
    "a parameter that nobody knows": {"Other": "x"},
    "64 characters": {"RoleSessionName": "x" * 64},
    "every character of a name": {"RoleSessionName": "aZ09_+=,.@-"},
    "a policy of Latin-1": {
        "Policy": '{"Version":"2012-10-17","Statement":{"Sid":"","Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/é"}}'
    },
}


@pytest.mark.parametrize("changes", TAKEN.values(), ids=TAKEN)
def test_what_a_shape_allows(aws: World, changes: dict[str, Any]) -> None:
    """To its edges."""
    status, body = call(aws, **changes)
    assert 200 == status, body


def problem(value: str, name: str, ending: str) -> str:
    return f"Value {value} at '{name}' failed to satisfy constraint: Member must {ending}"


PATTERN = r"satisfy regular expression pattern: [\w+=,.@-]*"
REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "nothing where something is needed": ({"RoleSessionName": None}, "ValidationError", "1 validation error detected: " + problem("null", "roleSessionName", "not be null")),
    "an empty text": ({"RoleSessionName": ""}, "ValidationError", "1 validation error detected: " + problem("''", "roleSessionName", "have length greater than or equal to 2")),
    "65 characters": ({"RoleSessionName": "x" * 65}, "ValidationError", "1 validation error detected: " + problem(f"'{'x' * 65}'", "roleSessionName", "have length less than or equal to 64")),
    "a letter of another alphabet": ({"RoleSessionName": "rené"}, "ValidationError", "1 validation error detected: " + problem("'rené'", "roleSessionName", PATTERN)),
    "a token that is not shown": ({"WebIdentityToken": "abc"}, "ValidationError", "1 validation error detected: " + problem("'***'", "webIdentityToken", "have length greater than or equal to 4")),
    "a second too many": ({"DurationSeconds": "43201"}, "ValidationError", "1 validation error detected: " + problem("'43201'", "durationSeconds", "have value less than or equal to 43200")),
    "a negative number": ({"DurationSeconds": "-900"}, "ValidationError", "1 validation error detected: " + problem("'-900'", "durationSeconds", "have value greater than or equal to 900")),
    "two at once": (
        {"RoleSessionName": "x", "DurationSeconds": "1"}, "ValidationError",
        "2 validation errors detected: " + problem("'x'", "roleSessionName", "have length greater than or equal to 2")
        + "; " + problem("'1'", "durationSeconds", "have value greater than or equal to 900"),
    ),
    "a number in words": ({"DurationSeconds": "nine"}, "MalformedInput", None),
    "a number in other digits": ({"DurationSeconds": "\u0669\u0660\u0660"}, "MalformedInput", None),
    "an unknown action": ({"Action": "Nope"}, "InvalidAction", "Could not find operation Nope for version 2011-06-15"),
    "another version": ({"Version": "2011-06-14"}, "InvalidAction", "Could not find operation AssumeRoleWithWebIdentity for version 2011-06-14"),
    "no version": ({"Version": None}, "InvalidAction", "Could not find operation AssumeRoleWithWebIdentity for version NO_VERSION_SPECIFIED"),
}  # fmt: skip


@pytest.mark.parametrize("changes, code, message", REFUSED.values(), ids=REFUSED)
def test_what_it_does_not(aws: World, changes: dict[str, Any], code: str, message: str | None) -> None:
    """AWS's code and words, in an envelope that says whose fault it is; where AWS has no message, neither have we."""
    status, body = call(aws, **changes)
    said = re.search("<Message>(.*)</Message>", body.decode())
    assert (400, message) == (status, said and said[1])
    assert f"<Error><Type>Sender</Type><Code>{code}</Code>".encode() in body
    fault = b'<ErrorResponse xmlns="http://webservices.amazon.com/AWSFault/2005-15-09">'
    assert (code == "InvalidAction") == (fault in body)


def test_contexts_are_said_to_be_missing(aws: World) -> None:
    """ProvidedContexts change what a session may do, so to pass over them would lie."""
    form = {
        "Action": "AssumeRole", "Version": "2011-06-15", "RoleSessionName": "session",
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/s3-reader",
        "ProvidedContexts.member.1.ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter",
    }  # fmt: skip
    status, body = aws.send(signed_request(USER_KEY, body=urlencode(form).encode()))
    assert (400, True) == (status, b"ProvidedContexts are not provided by this STS." in body)


@given(
    some.sampled_from(
        [shape for shapes, _ in OURS.values() for shape in shapes.values()]
        + [constraints.TAG_KEY, constraints.TAG_VALUE]
    ),
    some.text(max_size=70)
    | some.text("aB0_+=,.@-:/ \t", max_size=70)
    | some.integers(0, 2100).map(lambda length: "a" * length),
)
def test_a_value_is_admitted_where_nothing_is_wrong_with_it(shape: Shape, value: str) -> None:
    """The short way to an answer and the one that explains."""
    assert bool(shape.admits(value)) is not bool(shape.problems("x", value))
