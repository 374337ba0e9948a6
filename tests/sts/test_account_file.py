# ruff: noqa: E501 -- a case of a table is a line
"""What an account file may say, and the line, path and cure that are named where it may not."""

import contextlib
import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from sts import loading
from sts.documents import AccountFileError
from sts.state import Followed
from tests.sts.world import ACCOUNT

FILE = f"""\
Accounts:
  - AccountId: "{ACCOUNT}"
    OpenIDConnectProviders:
      - Url: https://issuer.example/id
        ClientIDList: [sts.amazonaws.com]
    Policies:
      - PolicyName: shared
        PolicyVersionList:
          - Document: {{Version: 2012-10-17, Statement: [{{Effect: Allow, Action: "s3:*", Resource: "*"}}]}}
    RoleDetailList:
      - RoleName: reader
        Path: /team/
        AssumeRolePolicyDocument:
          Version: 2012-10-17
          Statement:
            - Effect: Allow
              Principal: {{AWS: "{ACCOUNT}"}}
              Action: sts:AssumeRole
        AttachedManagedPolicies: [{{PolicyArn: "arn:aws:iam::{ACCOUNT}:policy/shared"}}]
        RolePolicyList:
          - PolicyName: own
            PolicyDocument: '{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:*","Resource":"*"}}}}'
    GroupDetailList:
      - GroupName: Developers
    UserDetailList:
      - UserName: david
        GroupList: [Developers]
    AccessKeys:
      - UserName: david
        AccessKeyId: AKIAIOSFODNN7EXAMPLE
        SecretAccessKey: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
    VirtualMFADevices:
      - SerialNumber: arn:aws:iam::{ACCOUNT}:mfa/david
        Base32StringSeed: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
        User: {{UserName: david}}
"""


def test_a_whole_file() -> None:
    """Each kind of entry; what has no id gets one that stays the same."""
    accounts = loading.load(FILE.encode())
    assert {"accounts": 1, "providers": 1, "roles": 1, "users": 1, "access_keys": 1} == accounts.counts()
    role = accounts.roles[f"arn:aws:iam::{ACCOUNT}:role/team/reader"]
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/s" == role.session_arn("s")
    assert ["role reader policy own", "policy shared"] == [policy.name for policy in role.permissions.identity]
    assert role.unique_id == loading.load(FILE.encode()).roles[role.arn].unique_id
    assert re.fullmatch(r"AROA[A-Z2-7]{17}", role.unique_id)


# What is written instead of what, and what the error says: line, path, problem.
BROKEN: dict[str, tuple[str, str, str]] = {
    "an unknown key": ("    Policies:", "    Polices:", "line 2, Accounts[0]: Object contains unknown field `Polices`; did you mean `Policies`?"),
    "an unknown key deep inside": ("Path: /team/", "Pfad: /team/", "line 11, Accounts[0].RoleDetailList[0]: Object contains unknown field `Pfad`, which is none that IAM prints"),
    "a missing key": ("      - RoleName: reader\n        Path", "      - Path", "line 11, Accounts[0].RoleDetailList[0]: Object missing required field `RoleName`"),
    "an account id that is a number": (f'AccountId: "{ACCOUNT}"', f"AccountId: {ACCOUNT}", "line 2, Accounts[0].AccountId: Expected `str`, got `int`; write it in quotes"),
    "an account id too short": (f'AccountId: "{ACCOUNT}"', 'AccountId: "1"', "line 2, Accounts[0].AccountId: '1' has to be 12 digits in quotes"),
    "an issuer with a port": ("https://issuer.example/id", "https://issuer.example:1/id", "line 4, Accounts[0].OpenIDConnectProviders[0].Url: 'https://issuer.example:1/id': a port or a private address is allowed only with a Local block"),
    "no client id": ("[sts.amazonaws.com]", "[]", "line 5, Accounts[0].OpenIDConnectProviders[0].ClientIDList: 1 to 100 client ids are needed"),
    "a misspelt operator": ("Action: sts:AssumeRole\n", "Action: sts:AssumeRole\n              Condition: {StringEqual: {a: b}}\n", "line 19, Accounts[0].RoleDetailList[0].AssumeRolePolicyDocument.Statement[0].Condition.StringEqual"),
    "a misspelt effect": ("- Effect: Allow\n", "- Effect: Alow\n", "line 16, Accounts[0].RoleDetailList[0].AssumeRolePolicyDocument.Statement[0].Effect: "),
    "a broken policy in JSON": ('"Effect":"Allow"', '"Effect":"Alow"', "line 22, Accounts[0].RoleDetailList[0].RolePolicyList[0].PolicyDocument.Statement[0].Effect: "),
    "a policy that is not there": ("policy/shared", "policy/other", "line 19, Accounts[0].RoleDetailList[0].AttachedManagedPolicies[0].PolicyArn: no policy 'arn:aws:iam::111122223333:policy/other'"),
    "an ARN of another": ("        Path: /team/", "        Path: /team/\n        Arn: arn:aws:iam::111122223333:role/x", "line 13, Accounts[0].RoleDetailList[0].Arn: 'arn:aws:iam::111122223333:role/x' does not belong to this entry"),
    "a duration too short": ("        Path: /team/", "        Path: /team/\n        MaxSessionDuration: 900", "line 13, Accounts[0].RoleDetailList[0].MaxSessionDuration: has to be from 3600 to 43200 seconds"),
    "a path without its end": ("Path: /team/", "Path: /team", "line 12, Accounts[0].RoleDetailList[0].Path: '/team': a path begins and ends with /"),
    "a group that is not there": ("GroupList: [Developers]", "GroupList: [Testers]", "line 27, Accounts[0].UserDetailList[0].GroupList[0]: no group 'Testers'"),
    "a key of nobody": ("AccessKeys:\n      - UserName: david", "AccessKeys:\n      - UserName: davd", "line 29, Accounts[0].AccessKeys[0].UserName: no user 'davd'"),
    "a temporary key": ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "line 30, Accounts[0].AccessKeys[0].AccessKeyId: has to be 16 to 128 letters and digits, not beginning with ASIA"),
    "a seed that is none": ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "geheim", "line 34, Accounts[0].VirtualMFADevices[0].Base32StringSeed: has to be base32"),
    "a key twice": ("        Path: /team/", "        Path: /team/\n        Path: /a/", "line 13: key 'Path' comes twice"),
    "an account twice": ("Accounts:\n", f'Accounts:\n  - AccountId: "{ACCOUNT}"\n', "line 3, Accounts[1].AccountId: '111122223333' is there twice"),
    "what is no YAML": ("Accounts:\n", "Accounts: [\n", "no YAML and no JSON"),
    "half an export": ("    Policies:", "    IsTruncated: true\n    Policies:", "Accounts[0].IsTruncated: the export is not whole"),
}  # fmt: skip


@pytest.mark.parametrize("old, new, message", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_says_where(old: str, new: str, message: str) -> None:
    """Nothing of it is used, and the error leads to the place."""
    assert old in FILE
    with pytest.raises(AccountFileError) as caught:
        loading.load(FILE.replace(old, new, 1).encode())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"Accounts: {}", b"\xff", b"a: &a [*a]", b"- " * 3000, b"[" * 100_000, b"{a: " * 100_000,
     b'{"Accounts": [{"AccountId": "\\ud800"}]}'],
    ids=len,
)  # fmt: skip
def test_what_is_no_account_file(content: bytes) -> None:
    """An error of ours, not a crash."""
    with pytest.raises(AccountFileError):
        loading.load(content)


def test_no_secret_is_in_an_error() -> None:
    """A secret of the wrong type is not shown."""
    broken = FILE.replace("SecretAccessKey: wJalr", "SecretAccessKey: [wJalr").replace("EXAMPLEKEY\n", "EXAMPLEKEY]\n")
    with pytest.raises(AccountFileError) as caught:
        loading.load(broken.encode())
    assert "wJalr" not in str(caught.value)


def test_json_is_read_as_strictly() -> None:
    """The same file as JSON gives the same accounts; a key that comes twice, or NaN, is refused there too."""
    text = json.dumps(yaml.load(FILE, Loader=yaml.BaseLoader))  # noqa: S506 -- every scalar a text, as meant here
    assert loading.load(text.encode()).counts() == loading.load(FILE.encode()).counts()
    with pytest.raises(AccountFileError, match="key 'RoleName' comes twice"):
        loading.load(text.replace('"RoleName"', '"RoleName": "x", "RoleName"', 1).encode())
    with pytest.raises(AccountFileError):
        loading.load(b'{"Accounts": NaN}')


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, below in inner for each in places(below, (*path, key)))]


WHOLE = yaml.load(FILE, Loader=yaml.BaseLoader)  # noqa: S506 -- every scalar a text, as meant here
ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5)
    | some.sampled_from(["%", "*", "\ud800", "arn:aws:iam::aws:policy/x", "${aws:x", "https://[", "https://a:99999/"]),
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@given(place=some.sampled_from(places(WHOLE)[1:]), value=ANYTHING)
def test_anything_anywhere_is_taken_or_refused(place: tuple[Any, ...], value: Any) -> None:
    """With an error that says where; never with one of Python's, which would end the server."""
    content = copy.deepcopy(WHOLE)
    holder = content
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    with contextlib.suppress(AccountFileError):
        assert loading.load(json.dumps(content).encode()).counts()


def test_a_bug_of_ours_leaves_the_old_state_in_service(tmp_path: Path) -> None:
    """A file that we stumble over ends nothing, and a better one is used."""
    used = []

    def use(content: bytes) -> None:
        used.append({b"1": "first", b"2": "second"}[content])

    file = Followed(tmp_path / "accounts", use)
    file.path.write_bytes(b"1")
    file.start()
    for content in (b"no such key", b"2"):
        file.path.write_bytes(content)
        file.look()
    assert ["first", "second"] == used
