# ruff: noqa: E501 -- an entry of an export is a line
"""`irsa sts import`: exports as the tools print them, to an account file that loads."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from irsa.cli.sts import command
from sts import importing, loading
from sts.documents import AccountFileError
from tests.sts.world import ACCOUNT, allow, trust

ISSUER = "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
WEB = trust({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}, "sts:AssumeRoleWithWebIdentity")
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/limits/developers"


def inline(name: str, document: Any) -> dict[str, Any]:
    return {"PolicyName": name, "PolicyDocument": document}


# As `aws iam get-account-authorization-details` prints it; documents inside may also come URL-encoded, as the API has them.
DETAILS: dict[str, Any] = {
    "UserDetailList": [
        {"Path": "/", "UserName": "david", "UserId": "AIDAEXAMPLEEXAMPLE222", "Arn": f"arn:aws:iam::{ACCOUNT}:user/david", "CreateDate": "2026-01-01T00:00:00+00:00",
         "GroupList": ["Developers"], "AttachedManagedPolicies": [], "Tags": [{"Key": "team", "Value": "blue"}],
         "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": BOUNDARY}},
    ],
    "GroupDetailList": [
        {"Path": "/", "GroupName": "Developers", "GroupId": "AGPAEXAMPLEEXAMPLE222", "Arn": f"arn:aws:iam::{ACCOUNT}:group/Developers",
         "CreateDate": "2026-01-01T00:00:00+00:00", "GroupPolicyList": [inline("switch", allow("sts:AssumeRole"))], "AttachedManagedPolicies": []},
    ],
    "RoleDetailList": [
        {"Path": "/team/", "RoleName": "app", "RoleId": "AROAEXAMPLEEXAMPLE222", "Arn": f"arn:aws:iam::{ACCOUNT}:role/team/app", "CreateDate": "2026-01-01T00:00:00+00:00",
         "AssumeRolePolicyDocument": quote(json.dumps(WEB)), "InstanceProfileList": [], "RolePolicyList": [inline("own", quote(json.dumps(allow("s3:GetObject"))))],
         "AttachedManagedPolicies": [{"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": READ_ONLY}], "Tags": [], "RoleLastUsed": {"Region": "us-east-1"}},
    ],
    "Policies": [
        {"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyId": "ANPAEXAMPLEEXAMPLE222", "Arn": READ_ONLY, "Path": "/", "DefaultVersionId": "v2", "AttachmentCount": 1,
         "PermissionsBoundaryUsageCount": 0, "IsAttachable": True, "CreateDate": "2015-01-01T00:00:00+00:00", "UpdateDate": "2015-01-01T00:00:00+00:00",
         "PolicyVersionList": [{"Document": allow("s3:List*"), "VersionId": "v2", "IsDefaultVersion": True, "CreateDate": "2015-01-01T00:00:00+00:00"},
                               {"Document": allow("s3:*"), "VersionId": "v1", "IsDefaultVersion": False, "CreateDate": "2015-01-01T00:00:00+00:00"}]},
        {"PolicyName": "developers", "PolicyId": "ANPAEXAMPLEEXAMPLE333", "Arn": BOUNDARY, "Path": "/limits/", "DefaultVersionId": "v1",
         "PolicyVersionList": [{"Document": allow("*"), "VersionId": "v1", "IsDefaultVersion": True}]},
    ],
    "IsTruncated": False,
}  # fmt: skip
PROVIDER = {
    "Url": ISSUER,
    "ClientIDList": ["sts.amazonaws.com"],
    "ThumbprintList": ["a" * 40],
    "CreateDate": "2026-01-01T00:00:00+00:00",
    "Tags": [],
}


def resource(kind: str, mode: str = "managed", **attributes: Any) -> dict[str, Any]:
    return {
        "mode": mode,
        "type": kind,
        "name": "this",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"schema_version": 0, "attributes": attributes}],
    }


STATE: dict[str, Any] = {
    "version": 4, "terraform_version": "1.9.0", "serial": 1, "lineage": "x", "outputs": {},
    "resources": [
        resource("aws_iam_openid_connect_provider", arn=f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}", url=ISSUER, client_id_list=["sts.amazonaws.com"], thumbprint_list=["a" * 40]),
        resource("aws_iam_role_policy", role="app", name="own", policy=json.dumps(allow("s3:GetObject"))),
        resource("aws_iam_role_policy_attachment", role="app", policy_arn=READ_ONLY),
        resource("aws_iam_policy", "data", arn=READ_ONLY, name="AmazonS3ReadOnlyAccess", path="/", policy=json.dumps(allow("s3:List*"))),
        resource("aws_iam_role", arn=f"arn:aws:iam::{ACCOUNT}:role/team/app", name="app", path="/team/", unique_id="AROAEXAMPLEEXAMPLE222", max_session_duration=7200,
                 assume_role_policy=json.dumps(WEB), inline_policy=[], tags_all={"team": "blue"}, permissions_boundary=""),
        resource("aws_iam_user", arn=f"arn:aws:iam::{ACCOUNT}:user/david", name="david", path="/", unique_id="AIDAEXAMPLEEXAMPLE222"),
        resource("aws_iam_group", arn=f"arn:aws:iam::{ACCOUNT}:group/Developers", name="Developers", path="/"),
        resource("aws_iam_group_policy", group="Developers", name="switch", policy=json.dumps(allow("sts:AssumeRole"))),
        resource("aws_iam_user_group_membership", user="david", groups=["Developers"]),
        resource("aws_iam_access_key", id="AKIAIOSFODNN7EXAMPLE", user="david", secret="made-up", status="Active"),
        resource("aws_iam_access_key", id="AKIAI44QH8DHBEXAMPLE", user="david", encrypted_secret="x", status="Active"),
        resource("aws_iam_virtual_mfa_device", arn=f"arn:aws:iam::{ACCOUNT}:mfa/david", user_name="david", base_32_string_seed="ORSXG5BAONSWKZBAORSXG5BAONSWKZA="),
        resource("aws_iam_account_alias", account_alias="production", id="production"),
        resource("aws_iam_instance_profile", name="x", arn=f"arn:aws:iam::{ACCOUNT}:instance-profile/x"),
        resource("aws_s3_bucket", bucket="b", arn="arn:aws:s3:::b"),
    ],
}  # fmt: skip


def run(folder: Path, *exports: Any, options: tuple[str, ...] = ()) -> Any:
    """The command's result over files with these contents."""
    paths = []
    for number, export in enumerate(exports):
        paths.append(folder / f"{number}.json")
        paths[-1].write_text(export if isinstance(export, str) else json.dumps(export))
    return CliRunner().invoke(command, ["import", *options, *map(str, paths)])


def test_the_clis_exports(tmp_path: Path) -> None:
    """Roles, users, groups, policies and a provider, as they are in the account."""
    result = run(tmp_path, DETAILS, PROVIDER)
    assert 0 == result.exit_code, result.output
    accounts = loading.load(result.stdout.encode())
    role = accounts.roles[f"arn:aws:iam::{ACCOUNT}:role/team/app"]
    assert "AROAEXAMPLEEXAMPLE222" == role.unique_id
    assert ["role app policy own", "policy AmazonS3ReadOnlyAccess"] == [each.name for each in role.permissions.identity]
    user = accounts.users[f"arn:aws:iam::{ACCOUNT}:user/david"]
    assert ["group Developers policy switch"] == [each.name for each in user.permissions.identity]
    assert user.permissions.boundary is not None
    assert frozenset({"sts.amazonaws.com"}) == accounts.providers[(ACCOUNT, f"https://{ISSUER}")].client_ids
    assert "no MaxSessionDuration" in result.stderr
    assert "add AccessKeys" in result.stderr


def test_terraform_state(tmp_path: Path) -> None:
    """The same account, from the state that made it; an access key's secret is in the state."""
    result = run(tmp_path, STATE)
    assert 0 == result.exit_code, result.output
    accounts = loading.load(result.stdout.encode())
    role = accounts.roles[f"arn:aws:iam::{ACCOUNT}:role/team/app"]
    assert (7200, {"team": "blue"}) == (role.max_session_duration, dict(role.tags))
    assert ["role app policy own", "policy AmazonS3ReadOnlyAccess"] == [each.name for each in role.permissions.identity]
    assert {"AKIAIOSFODNN7EXAMPLE"} == set(accounts.access_keys)
    assert (ACCOUNT, f"https://{ISSUER}") in accounts.providers
    assert {f"arn:aws:iam::{ACCOUNT}:mfa/david"} == set(accounts.devices)
    assert "AccountAlias: production" in result.stdout
    assert "AKIAI44QH8DHBEXAMPLE" in result.stderr
    assert "aws_iam_instance_profile" in result.stderr


def test_both_ways_give_one_account(tmp_path: Path) -> None:
    """What both exports have is the same in both files."""
    files = [loading.load(run(tmp_path, each).stdout.encode()) for each in (DETAILS, STATE)]
    for arn in (f"arn:aws:iam::{ACCOUNT}:user/david",):
        assert files[0].users[arn].unique_id == files[1].users[arn].unique_id


def imported(folder: Path, *exports: Any) -> tuple[loading.Accounts, str]:
    """The accounts of an import that works, and its notes."""
    result = run(folder, *exports)
    assert 0 == result.exit_code, result.output
    return loading.load(result.stdout.encode()), result.stderr


def test_pages_of_one_export(tmp_path: Path) -> None:
    """All but the last say that they are not whole; the last one counts, and what two pages have comes once."""
    first = {**DETAILS, "UserDetailList": [], "IsTruncated": True, "Marker": "x"}
    second = {"UserDetailList": DETAILS["UserDetailList"], "Policies": DETAILS["Policies"], "NextToken": "y"}
    third = {"GroupDetailList": DETAILS["GroupDetailList"]}
    accounts, _ = imported(tmp_path, first, second, third)
    assert (1, 1) == (len(accounts.roles), len(accounts.users))


def test_another_partition_and_members_nobody_knows_yet(tmp_path: Path) -> None:
    """China's ARNs are of its own partition; a member that is new in IAM is left out, and that is said."""
    text = json.dumps(DETAILS).replace("arn:aws:", "arn:aws-cn:").replace(quote("arn:aws:"), quote("arn:aws-cn:"))
    export = json.loads(text)
    export["RoleDetailList"][0]["Mood"] = "new"
    accounts, notes = imported(tmp_path, export)
    assert {f"arn:aws-cn:iam::{ACCOUNT}:role/team/app"} == set(accounts.roles)
    assert accounts.managed_policy(ACCOUNT, "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess")
    assert "left out, since the account file has no place for them: Mood" in notes


def test_encoded_documents_become_readable(tmp_path: Path) -> None:
    """Whoever edits the file sees the policy, not %7B%22."""
    assert "%7B" in json.dumps(DETAILS)
    assert "%7B" not in run(tmp_path, DETAILS).stdout


def test_the_provider_goes_to_the_account_that_trusts_it(tmp_path: Path) -> None:
    """Of several accounts, the one whose role names it."""
    other = {"RoleDetailList": [{"RoleName": "x", "Arn": "arn:aws:iam::999988887777:role/x",
                                 "AssumeRolePolicyDocument": trust({"AWS": ACCOUNT})}]}  # fmt: skip
    accounts, _ = imported(tmp_path, other, DETAILS, PROVIDER)
    assert {(ACCOUNT, f"https://{ISSUER}")} == set(accounts.providers)


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"version": 4, "terraform_version": "1.9.0", "resources": list(resources)}


def role(name: str, account: str = ACCOUNT, **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:iam::{account}:role/{name}"
    return resource("aws_iam_role", arn=arn, name=name, assume_role_policy=json.dumps(trust({"AWS": account})), **more)


def granted(accounts: loading.Accounts, name: str, account: str = ACCOUNT) -> list[str]:
    identity = accounts.roles[f"arn:aws:iam::{account}:role/{name}"].permissions.identity
    return [policy.name for policy in identity]


def test_modules_count_and_for_each(tmp_path: Path) -> None:
    """Each instance is a role; one that waits to be destroyed is none."""
    several = role("app-0") | {"module": "module.apps"}
    one = several["instances"][0]
    second = json.loads(json.dumps(one).replace("app-0", "app-1"))
    gone = json.loads(json.dumps(one).replace("app-0", "app-gone")) | {"deposed": "0123abcd"}
    several["instances"] = [one | {"index_key": 0}, second | {"index_key": "b"}, gone]
    accounts, _ = imported(tmp_path, state(several))
    assert {"app-0", "app-1"} == {each.name for each in accounts.roles.values()}


def test_a_state_of_two_accounts(tmp_path: Path) -> None:
    """Two provider configurations; what is attached goes to the role of its own one, though both have the name."""
    away = "999988887777"
    attached = resource("aws_iam_role_policy_attachment", role="app", policy_arn=READ_ONLY)
    aliased = [each | {"provider": each["provider"] + ".away"} for each in (role("app", away), attached)]
    accounts, _ = imported(tmp_path, state(role("app"), *aliased))
    assert ([], ["policy " + READ_ONLY]) == (granted(accounts, "app"), granted(accounts, "app", away))


def test_what_is_attached_in_another_state(tmp_path: Path) -> None:
    """The role in one file, its policy in the next, in either order; without the role's state it is said."""
    attached = state(
        resource("aws_iam_policy_attachment", name="all", roles=["app"], users=[], groups=[], policy_arn=READ_ONLY),
        resource("aws_iam_role_policy", role="app", name="own", policy=json.dumps(allow("s3:GetObject"))),
    )
    for exports in ([attached, state(role("app"))], [state(role("app")), attached]):
        accounts, _ = imported(tmp_path, *exports)
        assert ["role app policy own", "policy " + READ_ONLY] == granted(accounts, "app")
    accounts, notes = imported(tmp_path, attached, state(role("other")))
    assert [] == granted(accounts, "other")
    assert "aws_iam_role_policy.this is left out: role 'app' is in no state given here" in notes


def test_a_role_lists_what_its_own_resources_say_too(tmp_path: Path) -> None:
    """The resource is newer than the role's list; neither counts twice."""
    old = [{"name": "own", "policy": json.dumps(allow("s3:*"))}]
    accounts, _ = imported(
        tmp_path,
        state(
            role("app", inline_policy=old, managed_policy_arns=[READ_ONLY]),
            resource("aws_iam_role_policy_attachment", role="app", policy_arn=READ_ONLY),
            resource("aws_iam_role_policy", role="app", name="own", policy=json.dumps(allow("s3:GetObject"))),
        ),
    )
    assert ["role app policy own", "policy " + READ_ONLY] == granted(accounts, "app")
    (statement,) = accounts.roles[f"arn:aws:iam::{ACCOUNT}:role/app"].permissions.identity[0].statements
    assert not statement.action("s3:PutObject")


def test_a_role_that_is_only_looked_up(tmp_path: Path) -> None:
    """Its trust is known, what others attached to it is not, and that is said; where it is made it comes once."""
    looked_up = role("app") | {"mode": "data"}
    accounts, notes = imported(tmp_path, state(looked_up))
    assert [] == granted(accounts, "app")
    assert "role 'app' is only looked up" in notes
    accounts, _ = imported(tmp_path, state(looked_up), state(role("app", max_session_duration=7200)))
    assert 7200 == accounts.roles[f"arn:aws:iam::{ACCOUNT}:role/app"].max_session_duration


def test_what_terraform_show_prints(tmp_path: Path) -> None:
    """`terraform show -json`: the same resources, modules in modules."""

    def shown(each: dict[str, Any]) -> dict[str, Any]:
        return {"mode": each["mode"], "type": each["type"], "name": each["name"], "provider_name": "aws",
                "values": each["instances"][0]["attributes"]}  # fmt: skip

    attached = resource("aws_iam_role_policy_attachment", role="app", policy_arn=READ_ONLY)
    child = {"address": "module.a", "resources": [shown(attached)]}
    root = {"resources": [shown(role("app"))], "child_modules": [child]}
    values = {"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": root}}
    accounts, _ = imported(tmp_path, values)
    assert ["policy " + READ_ONLY] == granted(accounts, "app")


REFUSED = {
    "no JSON": (("<html>",), "0.json: no JSON"),
    "something else": (({"a": 1},), "neither get-account-authorization-details nor get-open-id-connect-provider nor Terraform"),
    "a provider of nobody": ((PROVIDER,), "whose provider is it? Say it with --account-id"),
    "half an export": (({**DETAILS, "IsTruncated": True},), "the export is not whole"),
    "two accounts in one": (
        ({**DETAILS, "GroupDetailList": [{"GroupName": "x", "Arn": "arn:aws:iam::999988887777:group/x"}]},),
        f"its ARNs are of {ACCOUNT}, 999988887777; it has to be one",
    ),
    "an old state": (({"version": 3, "terraform_version": "0.11.1", "modules": []},), "a state of version 3"),
    "lists that are none": (({"RoleDetailList": {"a": 1}},), "0.json: RoleDetailList is no list"),
    "entries that are none": (({"RoleDetailList": ["a"]},), "0.json: RoleDetailList[0] is no object"),
    "versions that are none": (
        ({"Policies": [{"PolicyName": "p", "Arn": BOUNDARY, "PolicyVersionList": "x"}]},), "policy p: PolicyVersionList is no list",
    ),
    "resources that are none": ((state("x"),), "0.json: resources[0] is no object"),  # type: ignore[arg-type]
    "a role without a name": ((state(resource("aws_iam_role", arn=f"arn:aws:iam::{ACCOUNT}:role/x")),), "aws_iam_role.this has no name"),
    "a policy that is no JSON": (
        (state(resource("aws_iam_role", arn=f"arn:aws:iam::{ACCOUNT}:role/x", name="x", assume_role_policy="{")),),
        "aws_iam_role.this: assume_role_policy is no JSON",
    ),
    "a state of nobody": ((state(resource("aws_iam_account_alias", account_alias="x")),), "whose is it?"),
    "a bomb of brackets": (("[" * 100_000,), "0.json: no JSON"),
    "deep nesting": (('{"a":' * 200 + "1" + "}" * 200,), "nested deeper than 64"),
    "half a character": (('{"RoleDetailList": [{"RoleName": "\\ud800"}]}',), "0.json: no JSON"),
    "a number without end": (('{"a": ' + "9" * 5000 + "}",), "0.json: no JSON"),
    "no number": (('{"a": NaN}',), "NaN is no JSON"),
    "a policy that is missing": (
        (json.loads(json.dumps({**DETAILS, "Policies": []}).replace("S3ReadOnly", "S3Unknown")),),
        "no policy 'arn:aws:iam::aws:policy/AmazonS3UnknownAccess' in this account's Policies",
    ),
}  # fmt: skip


@pytest.mark.parametrize("exports, message", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_imported(tmp_path: Path, exports: tuple[Any, ...], message: str) -> None:
    """Exit code 1 and a word that helps."""
    result = run(tmp_path, *exports)
    assert 1 == result.exit_code
    assert message in result.stderr


def test_a_provider_alone(tmp_path: Path) -> None:
    """With the account said by hand."""
    result = run(tmp_path, PROVIDER, options=("--account-id", ACCOUNT))
    assert (ACCOUNT, f"https://{ISSUER}") in loading.load(result.stdout.encode()).providers


def everywhere(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container in a document, with each key or index in it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield value, key
        yield from everywhere(inner)


@pytest.mark.parametrize("odd", [None, 7, "x", [7], {"a": 7}], ids=repr)
@pytest.mark.parametrize("export", [DETAILS, STATE, PROVIDER], ids=["details", "state", "provider"])
def test_whatever_stands_anywhere_is_imported_or_refused(export: Any, odd: Any) -> None:
    """One value of the export is another, each in turn: an account file that loads, or an error that says what."""
    document = json.loads(json.dumps(export))
    for container, key in list(everywhere(document)):
        kept, container[key] = container[key], odd
        with contextlib.suppress(AccountFileError):
            found = importing.imported([("export", json.dumps(document).encode())], ACCOUNT)
            loading.load(json.dumps(found.file()).encode())
        container[key] = kept
    assert document == export
