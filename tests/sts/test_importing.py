# ruff: noqa: E501 -- an entry of an export is a line
"""`irsa sts import`: exports as the tools print them, to an account file that loads."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from irsa.cli.sts import command
from sts import loading
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
    assert "AKIAI44QH8DHBEXAMPLE" in result.stderr
    assert "aws_iam_instance_profile" in result.stderr


def test_both_ways_give_one_account(tmp_path: Path) -> None:
    """What both exports have is the same in both files."""
    files = [loading.load(run(tmp_path, each).stdout.encode()) for each in (DETAILS, STATE)]
    for arn in (f"arn:aws:iam::{ACCOUNT}:user/david",):
        assert files[0].users[arn].unique_id == files[1].users[arn].unique_id


REFUSED = {
    "no JSON": (("<html>",), "0.json: no JSON"),
    "something else": (({"a": 1},), "neither get-account-authorization-details nor get-open-id-connect-provider nor Terraform"),
    "a provider of nobody": ((PROVIDER,), "whose provider is it? Say it with --account-id"),
    "half an export": (({**DETAILS, "IsTruncated": True},), "the export is not whole"),
    "two accounts in one": (
        ({**DETAILS, "GroupDetailList": [{"GroupName": "x", "Arn": "arn:aws:iam::999988887777:group/x"}]},),
        f"its ARNs are of {ACCOUNT}, 999988887777; it has to be one",
    ),
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
