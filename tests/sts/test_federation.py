# ruff: noqa: E501 -- a case of a table is a line
"""What an identity provider may say about a session: tags, source identity, the roles that a token is for."""

from typing import Any

import pytest

from tests.sts.test_web_identity import refusal
from tests.sts.world import ACCOUNT, World, key_of, statements, trust, web_trust

TAGS = "https://aws.amazon.com/tags"
SOURCE = "https://aws.amazon.com/source_identity"
ROLES = "https://aws.amazon.com/roles"
ARN = f"arn:aws:iam::{ACCOUNT}:role/s3-reader"


@pytest.fixture
def trusting(aws: World) -> World:
    """The role trusts the provider with blue tags and with sources that begin with d."""
    principal = web_trust(aws.issuer.url)["Statement"][0]["Principal"]
    aws.accounts["Accounts"][0]["RoleDetailList"][0]["AssumeRolePolicyDocument"] = statements(
        web_trust(aws.issuer.url),
        trust(principal, "sts:TagSession", Condition={"StringEquals": {"aws:RequestTag/team": "blue"}}),
        trust(principal, "sts:SetSourceIdentity", Condition={"StringLike": {"sts:SourceIdentity": "d*"}}),
    )
    aws.use(aws.accounts)
    return aws


def tagged(*transitive: str, **tags: str) -> dict[str, Any]:
    return {
        TAGS: {"principal_tags": {key: [value] for key, value in tags.items()}, "transitive_tag_keys": list(transitive)}
    }


ALLOWED: dict[str, dict[str, Any]] = {
    "a tag": tagged(team="blue"),
    "a flattened tag": {f"{TAGS}/principal_tags/team": ["blue"]},
    "a flattened tag as a text": {f"{TAGS}/principal_tags/team": "blue", f"{TAGS}/transitive_tag_keys": ["team"]},
    "a source identity": {SOURCE: "david"},
    "this role": {ROLES: ARN},
    "this role among others": {ROLES: [f"{ARN}-2", ARN]},
}


@pytest.mark.parametrize("claims", ALLOWED.values(), ids=ALLOWED)
def test_what_the_trust_policy_allows(trusting: World, claims: dict[str, Any]) -> None:
    """The session begins; its size and source identity are in the answer where there are such."""
    answer = trusting.assume(trusting.issuer.token(**claims))
    assert answer.get("SourceIdentity") == claims.get(SOURCE)
    assert ("PackedPolicySize" in answer) == any(name.startswith(TAGS) for name in claims)


TOKEN_AT_FAULT = ("InvalidIdentityToken", 400)
REFUSED: dict[str, tuple[dict[str, Any], tuple[str, int], str]] = {
    "another tag": (tagged(team="red"), ("AccessDenied", 403), "Not authorized to perform sts:TagSession"),
    "another source": ({SOURCE: "peter"}, ("AccessDenied", 403), "Not authorized to perform sts:SetSourceIdentity"),
    "another role": ({ROLES: [f"{ARN}-2"]}, TOKEN_AT_FAULT, "The token is not for this role"),
    "a wildcard of roles": ({ROLES: ["*"]}, TOKEN_AT_FAULT, "The token is not for this role"),
    "roles that are none": ({ROLES: {"a": 1}}, TOKEN_AT_FAULT, f"The claim {TAGS} is malformed"),
    "two values of a tag": ({TAGS: {"principal_tags": {"team": ["blue", "red"]}}}, TOKEN_AT_FAULT, f"The claim {TAGS} is malformed"),
    "tags that are a list": ({TAGS: ["team"]}, TOKEN_AT_FAULT, f"The claim {TAGS} is malformed"),
    "a key that is none": (tagged(**{"te\x07am": "blue"}), TOKEN_AT_FAULT, "A session tag in the token is invalid"),
    "a source of aws": ({SOURCE: "aws:david"}, TOKEN_AT_FAULT, f"The claim {SOURCE} is malformed"),
    "a source that is a number": ({SOURCE: 7}, TOKEN_AT_FAULT, f"The claim {SOURCE} is malformed"),
    "keys that differ in case": (tagged(team="blue", Team="blue"), ("InvalidParameterValue", 400), "Duplicate tag keys found."),
    "51 tags": (tagged(**{f"k{number}": "v" for number in range(51)}), TOKEN_AT_FAULT, "Too many session tags"),
}  # fmt: skip


@pytest.mark.parametrize("claims, answer, message", REFUSED.values(), ids=REFUSED)
def test_what_it_does_not(trusting: World, claims: dict[str, Any], answer: tuple[str, int], message: str) -> None:
    """The trust policy's fault is AccessDenied, the token's InvalidIdentityToken."""
    seen = refusal(trusting.assume, trusting.issuer.token(**claims))
    assert answer == seen[:2]
    assert seen[2].startswith(message)


def test_tags_and_source_stay_with_the_session(trusting: World) -> None:
    """The next role's trust policy sees the transitive tag and the source identity; a caller cannot change the latter."""
    trusting.accounts["Accounts"][0]["RoleDetailList"].append(
        {
            "RoleName": "next",
            "AssumeRolePolicyDocument": trust(
                {"AWS": ARN},
                ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],  # type: ignore[arg-type]
                Condition={"StringEquals": {"aws:RequestTag/team": "blue", "sts:SourceIdentity": "david"}},
            ),
        }
    )
    trusting.use(trusting.accounts)
    given = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/next", "RoleSessionName": "next"}
    with_both = trusting.client(
        key=key_of(trusting.assume(trusting.issuer.token(**tagged("team", team="blue"), **{SOURCE: "david"})))
    )
    assert "david" == with_both.assume_role(**given)["SourceIdentity"]
    plain = trusting.client(key=key_of(trusting.assume()))
    assert ("AccessDenied", 403) == refusal(plain.assume_role, **given)[:2]


def test_a_session_policy_of_a_web_identity(aws_with_s3: World) -> None:
    """The pod asks for less than its role has, and gets less."""
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
    limited = aws_with_s3.assume(Policy=policy)
    assert limited["PackedPolicySize"] >= 1
    assert ("AccessDenied", 403) == refusal(aws_with_s3.client("s3", key_of(limited)).list_buckets)[:2]


@pytest.mark.parametrize(
    "name, listed", [("AmazonS3ReadOnlyAccess", True), ("AmazonSQSFullAccess", False)], ids=["read S3", "SQS"]
)
def test_policy_arns_limit_a_web_identity(aws_with_s3: World, name: str, listed: bool) -> None:
    """By AWS's own managed policies, which are known without being in the account file."""
    limited = aws_with_s3.assume(PolicyArns=[{"arn": f"arn:aws:iam::aws:policy/{name}"}])
    client = aws_with_s3.client("s3", key_of(limited))
    if listed:
        assert "Buckets" in client.list_buckets()
    else:
        assert ("AccessDenied", 403) == refusal(client.list_buckets)[:2]


def test_a_policy_arn_of_another_account_is_none(trusting: World) -> None:
    """Managed policies are the role's account's, or AWS's."""
    arn = "arn:aws:iam::999988887777:policy/shared"
    seen = refusal(trusting.assume, PolicyArns=[{"arn": arn}])
    assert ("MalformedPolicyDocument", 400) == seen[:2]
