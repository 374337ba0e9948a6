"""What `irsa policy check` says before AWS, or a pod, does: of which file and line, and with which exit code."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from irsa.cli import main
from tests.policy.test_lint import AUD, DEMO, GOOD, ISSUER, PROVIDER, SUB, trust


def checked(tmp_path: Path, content: Any, *options: str) -> tuple[int, str]:
    file = tmp_path / "file"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    outcome = CliRunner().invoke(main, ["policy", "check", str(file), *options])
    return outcome.exit_code, outcome.output


def test_exit_codes_tell_scripts_what_was_found(tmp_path: Path) -> None:
    """0 nothing, 1 a warning, 2 what AWS would refuse or nobody can read."""
    assert (0, "") == checked(tmp_path, trust(GOOD))
    code, text = checked(tmp_path, trust({}))
    assert code == 1
    assert "every ServiceAccount of the cluster may assume the role" in text
    assert 2 == checked(tmp_path, trust({"StringEqual": {SUB: DEMO}}))[0]
    assert 2 == checked(tmp_path, "{")[0]


def test_findings_as_json_carry_place_and_code(tmp_path: Path) -> None:
    """For scripts."""
    code, text = checked(tmp_path, trust({}), "-o", "json")
    (finding,) = json.loads(text)
    assert (1, "no-subject", "warning") == (code, finding["code"], finding["level"])
    assert finding["place"].endswith("Statement[0].Condition")


def test_an_account_file_is_checked_whole(tmp_path: Path) -> None:
    """Its providers are known, so a missing one and a wrong audience are found."""
    account = {
        "AccountId": "111122223333",
        "OpenIDConnectProviders": [{"Url": f"https://{ISSUER}", "ClientIDList": ["mine"]}],
        "RoleDetailList": [
            {"RoleName": "a", "AssumeRolePolicyDocument": trust(GOOD)},
            {"RoleName": "b", "AssumeRolePolicyDocument": trust({"StringEquals": {SUB: DEMO, AUD: "mine"}})},
            {"RoleName": "c", "AssumeRolePolicyDocument": trust(GOOD, Principal={"Federated": PROVIDER + "d"})},
        ],
    }
    code, text = checked(tmp_path, {"Accounts": [account]})
    assert code == 1
    assert "role a: trust: Statement[0].Condition.StringEquals" in text
    assert text.startswith(f"{tmp_path / 'file'}:1: warning: role a: trust")
    assert "[wrong-audience]" in text
    assert "role b:" not in text
    assert "role c: trust: Statement[0].Principal.Federated" in text


def test_what_an_account_does_not_have(tmp_path: Path) -> None:
    """A principal that does not exist, and a provider of two audiences of which the trust policy names none."""
    arn = "arn:aws:iam::111122223333:role"
    principals = {"AWS": [f"{arn}/there", f"{arn}/gone", "111122223333", "arn:aws:iam::444455556666:role/away"]}
    account = {
        "AccountId": "111122223333",
        "OpenIDConnectProviders": [{"Url": f"https://{ISSUER}", "ClientIDList": ["b", "a"]}],
        "RoleDetailList": [
            {"RoleName": "there", "AssumeRolePolicyDocument": trust({"StringEquals": {SUB: DEMO}})},
            {
                "RoleName": "b",
                "AssumeRolePolicyDocument": trust({}, Principal=principals, Action="sts:AssumeRole"),
            },
        ],
    }
    _, text = checked(tmp_path, {"Accounts": [account]}, "-o", "json")
    found = {(each["place"].split(":")[0], each["code"]): each["problem"] for each in json.loads(text)}
    assert {("role there", "no-audience"), ("role b", "principal-missing")} == set(found)
    assert "a and b" in found["role there", "no-audience"]
    assert f"no {arn}/gone" in found["role b", "principal-missing"]


YAML = f"""\
Accounts:
  - AccountId: "111122223333"
    RoleDetailList:
      - RoleName: a
        AssumeRolePolicyDocument:
          Version: 2012-10-17
          Statement:
            - Effect: Allow
              Principal: {{AWS: "444455556666"}}
              Action: sts:AssumeRole
              Condition:
                StringEquals:
                  sts:ExternalId: x
                  aws:PrincipalTag/a.b[0]: "*"
                Bool:
                  aws:MultiFactorAuthPresent: "yes"
      - RoleName: b
        AssumeRolePolicyDocument: '{{"Statement": {{"Effect": "Allow"}}}}'
  - AccountId: "444455556666"
    UserDetailList:
      - UserName: c
        UserPolicyList:
          - PolicyName: p
            PolicyDocument: {json.dumps(trust({}))}
"""


@pytest.mark.parametrize(
    "content, lines",
    [
        pytest.param(YAML, {"invalid": [16, 18, 24]}, id="an account file"),
        pytest.param(YAML.replace('"yes"', '"true"'), {"wildcard-not-like": [14], "invalid": [18, 24]}, id="odd keys"),
        pytest.param(
            json.dumps(trust({"StringEquals": {SUB: f"{DEMO}*"}}), indent=1), {"wildcard-not-like": [12]}, id="JSON"
        ),
        pytest.param(
            json.dumps({"Version": "2012-10-17", "Statement": trust({})["Statement"][0]}, indent=1),
            {"no-subject": [9]},
            id="a statement without its list",
        ),
    ],
)
def test_findings_name_their_line(tmp_path: Path, content: str, lines: dict[str, list[int]]) -> None:
    """Of the deepest thing that the file has on the way there."""
    _, text = checked(tmp_path, content, "-o", "json")
    found: dict[str, list[int]] = {}
    for each in json.loads(text):
        found.setdefault(each["code"], []).append(each["line"])
    assert lines == found


@pytest.mark.parametrize(
    "content, place",
    [
        pytest.param(
            {"Role": {"RoleName": "r", "AssumeRolePolicyDocument": trust({})}}, "role r: trust", id="get-role"
        ),
        pytest.param(
            {"RoleName": "r", "PolicyName": "p", "PolicyDocument": quote(json.dumps({"Statement": {}}))},
            "policy p",
            id="get-role-policy",
        ),
        pytest.param({"PolicyVersion": {"VersionId": "v2", "Document": {}}}, "version v2", id="get-policy-version"),
        pytest.param(
            {"RoleDetailList": [{"RoleName": "r", "AssumeRolePolicyDocument": trust({})}], "IsTruncated": False},
            "role r: trust",
            id="get-account-authorization-details",
        ),
    ],
)
def test_answers_of_iam_are_read_too(tmp_path: Path, content: Any, place: str) -> None:
    """What the AWS CLI prints need not be cut first."""
    code, text = checked(tmp_path, content, "-o", "json")
    assert code > 0
    assert all(each["place"].startswith(place) for each in json.loads(text))


def test_several_files_and_standard_input(tmp_path: Path) -> None:
    """As a hook before a commit runs it; the worst of them decides."""
    for name, content in (("good", trust(GOOD)), ("warned", trust({})), ("bad", {"Statement": []})):
        (tmp_path / name).write_text(json.dumps(content))
    paths = [str(tmp_path / name) for name in ("good", "warned", "bad")]
    assert [0, 1, 2, 2] == [
        CliRunner().invoke(main, ["policy", "check", *some]).exit_code
        for some in (paths[:1], paths[:2], paths, ["-", *paths])
    ]
    outcome = CliRunner().invoke(main, ["policy", "check", "-"], input=json.dumps(trust({})))
    assert (1, True) == (outcome.exit_code, outcome.output.startswith("-:1: warning: trust policy: "))


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "a: [",
        "[" * 50_000,
        '{"a": ' + "9" * 5000 + "}",
        "\x00",
        '{"Statement": {"Condition": {"a": {"\\ud800": "b"}}}}',
        '{"\\ud800": 1}',
        "a: &a [1]\nStatement: [*a, *a]",
        "",
        "7",
    ],
)
def test_a_file_that_is_no_policy_is_refused(tmp_path: Path, content: str) -> None:
    """Exit code 2 and the file's name, whatever is in it."""
    code, text = checked(tmp_path, content)
    assert code == 2
    assert str(tmp_path / "file") in text
