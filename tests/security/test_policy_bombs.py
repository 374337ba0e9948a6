"""Policies made to exhaust the reader or the matcher: they are refused by a limit, or answered in bounded work.

No clock is asked: a matcher that backtracked would not end before the suite's time-out.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.policy import Kind, Permissions, PolicyError, Principal, authorize, parse, request
from sts.policy.glob import glob

USER = Principal.user("arn:aws:iam::111122223333:user/alice")


def of_resource(name: str) -> str:
    """A document about one resource."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": f"arn:aws:s3:::{name}"}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def allowed(statement: dict[str, Any], resource: str, context: dict[str, Any] | None = None) -> bool:
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"} | statement}
    policy = parse(document, Kind.IDENTITY, "bomb")
    return authorize(request("s3:GetObject", resource, USER, context), Permissions(identity=(policy,))).allowed


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("a*" * 1000 + "b", id="a star after each letter"),
        pytest.param("*a" * 1000 + "b", id="a star before each letter"),
        pytest.param("*" * 2047 + "b", id="stars only"),
        pytest.param("*?" * 1000 + "b", id="stars and question marks"),
        pytest.param("*" + "a?" * 1000 + "b", id="question marks between letters"),
        pytest.param("*" + "a" * 1000 + "*" + "a" * 1000 + "b", id="two long runs"),
        pytest.param("?" * 2047 + "b", id="question marks only"),
    ],
)
def test_a_pattern_that_nearly_matches_ends(pattern: str) -> None:
    """Two thousand letters that fit until the last one, in Resource and in a condition."""
    text = "a" * 2047
    assert not allowed({"Resource": f"arn:aws:s3:::{pattern}"}, f"arn:aws:s3:::{text}")
    key = "aws:UserAgent"
    assert not allowed({"Condition": {"StringLike": {key: pattern}}}, "arn:aws:s3:::x", {key: text})


def test_a_variable_brings_no_wildcards() -> None:
    """Who can choose a tag cannot make it a star: the value stands for itself."""
    resource = "arn:aws:s3:::home/${aws:PrincipalTag/name}/x"
    assert not allowed({"Resource": resource}, "arn:aws:s3:::home/bob/x", {"aws:PrincipalTag/name": "*"})
    assert allowed({"Resource": resource}, "arn:aws:s3:::home/*/x", {"aws:PrincipalTag/name": "*"})


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("[" * 100_000, id="nested deep, never closed"),
        pytest.param("[" * 50_000 + "]" * 50_000, id="nested deep"),
        pytest.param('{"Statement":' * 8_000 + "1" + "}" * 8_000, id="statements in statements"),
        pytest.param('{"Version":"2012-10-17","Statement":"' + "x" * 200_000 + '"}', id="longer than any policy"),
        pytest.param(json.dumps({"Statement": [{}] * 1001}), id="too many statements"),
        pytest.param('{"Statement":[],"Statement":[]}', id="a key twice"),
        pytest.param('{"Version":"2012-10-17","Statement":NaN}', id="not a number"),
        pytest.param("%7B" * 10_000, id="URL-encoded braces"),
        pytest.param('{"Version":' + "9" * 5000 + "}", id="a number of five thousand digits"),
        pytest.param(of_resource("${" * 60_000), id="variables that are never closed"),
        pytest.param(of_resource("${a" + " " * 100_000 + "!}"), id="a variable's name that is nearly blank"),
        pytest.param(of_resource("${a," + " " * 100_000 + "'}"), id="a default that is nearly blank"),
    ],
)
def test_a_document_beyond_reason_is_refused(document: str) -> None:
    """With the place and a cure, before anything of it is used."""
    with pytest.raises(PolicyError) as caught:
        parse(document, Kind.SESSION, "session policy")
    assert caught.value.place.startswith("session policy")
    assert caught.value.cure


def test_deep_objects_that_are_no_text_are_refused_too() -> None:
    """A document from a YAML file comes as objects; nothing descends into what it does not know."""
    deep: Any = {}
    for _ in range(50_000):
        deep = {"a": deep}
    with pytest.raises(PolicyError):
        parse({"Version": "2012-10-17", "Statement": deep}, Kind.IDENTITY, "policy")


def test_a_huge_list_of_actions_costs_one_look_up() -> None:
    """Ten thousand names are a set: the last one is found like the first."""
    names = [f"s3:Action{number}" for number in range(10_000)]
    policy = parse(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": names, "Resource": "*"}},
        Kind.IDENTITY,
        "long",
    )
    for name in (names[0], names[-1]):
        assert authorize(request(name, "*", USER), Permissions(identity=(policy,))).allowed


@given(st.text("ab*?", max_size=12), st.text("ab*?", max_size=10))
def test_matching_is_what_the_plain_definition_says(pattern: str, text: str) -> None:
    """Against the textbook's recursive matcher, on every short pattern and text."""
    assert plainly(pattern, text) is bool(glob(pattern)(text))


def plainly(pattern: str, text: str) -> bool:
    """Whether a pattern matches, by definition (and in exponential time)."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return plainly(pattern[1:], text) or (bool(text) and plainly(pattern, text[1:]))
    return bool(text) and pattern[0] in {"?", text[0]} and plainly(pattern[1:], text[1:])
