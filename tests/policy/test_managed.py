"""AWS's own policies, known by their ARN."""

import json
from importlib.resources import files

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from sts.policy import Kind, Permissions, Principal, authorize, parse, request
from sts.policy.managed import PREFIX, arns, managed_by_aws

USER = Principal.user("arn:aws:iam::111122223333:user/alice")


@pytest.mark.parametrize(
    "name, action, allowed",
    [
        ("AmazonS3ReadOnlyAccess", "s3:ListAllMyBuckets", True),
        ("AmazonS3ReadOnlyAccess", "s3:PutObject", False),
        ("AmazonS3FullAccess", "s3:PutObject", True),
        ("AdministratorAccess", "sts:AssumeRole", True),
        ("PowerUserAccess", "iam:CreateUser", False),
        ("PowerUserAccess", "dynamodb:PutItem", True),
        ("ReadOnlyAccess", "s3:GetObject", True),
        ("AmazonEC2ContainerRegistryReadOnly", "ecr:GetAuthorizationToken", True),
        ("service-role/AmazonEBSCSIDriverPolicy", "s3:GetObject", False),
    ],
)
def test_a_managed_policy_allows_what_its_name_says(name: str, action: str, allowed: bool) -> None:
    """Attached by ARN alone, without its document in the account file."""
    policy = managed_by_aws(PREFIX + name)
    assert policy
    asked = request(action, "arn:aws:s3:::bucket/key", USER)
    assert allowed is authorize(asked, Permissions(identity=(policy,))).allowed


def test_every_known_policy_is_understood() -> None:
    """No document among them has an element or operator that is not built."""
    assert len(arns()) > 100
    assert all(managed_by_aws(arn) for arn in arns())


def test_every_policy_of_aws_is_understood() -> None:
    """Not only the known ones: an export of an account brings what it attaches, and one refused makes it unusable."""
    documents = {name: each["Document"] for name, each in json.loads(aws_managed_policies_data).items()}
    assert len(documents) > 1000
    assert all(parse(document, Kind.IDENTITY, name).statements for name, document in documents.items())


@pytest.mark.parametrize(
    "arn", [PREFIX + "NoSuchPolicy", "arn:aws:iam::111122223333:policy/own", "AdministratorAccess"]
)
def test_any_other_arn_is_unknown(arn: str) -> None:
    """An unknown policy is never taken for an empty one."""
    assert managed_by_aws(arn) is None


def test_the_documents_are_those_that_moto_keeps() -> None:
    """After an update of moto `tools/managed-policies` writes them anew."""
    kept = json.loads(aws_managed_policies_data)
    ours = json.loads((files("sts.policy") / "managed.json").read_text())
    for arn, document in ours["policies"].items():
        assert kept[arn.rpartition("/")[2]]["Document"] == document, arn
