"""AssumeRoleWithWebIdentity as boto3 sees it, over real sockets and a real issuer."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sts.world import ACCOUNT, EC_KEY, FOREIGN_KEY, SUBJECT, World


def refusal(call: Any, *arguments: Any, **parameters: Any) -> tuple[str, int, str]:
    """Code, status and message of the refusal."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"].get("Message", "")


def test_a_verified_token_gives_credentials_of_the_role(aws: World) -> None:
    """The whole answer, as AWS shapes it."""
    answer = aws.assume()
    assert SUBJECT == answer["SubjectFromWebIdentityToken"]
    assert "sts.amazonaws.com" == answer["Audience"]
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/s3-reader/session" == answer["AssumedRoleUser"]["Arn"]
    assert answer["AssumedRoleUser"]["AssumedRoleId"].startswith("AROA")
    assert f"arn:aws:iam::{ACCOUNT}:oidc-provider/{aws.issuer.url.removeprefix('http://')}" == answer["Provider"]
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert 3590 < answer["Credentials"]["Expiration"].timestamp() - time.time() <= 3600
    assert "PackedPolicySize" not in answer


def test_the_credentials_say_who_they_are(aws: World) -> None:
    """GetCallerIdentity with what the token bought; the role's path does not appear."""
    identity = aws.client(key=aws.session(role="team/a/idle")).get_caller_identity()
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/idle/session" == identity["Arn"]
    assert ACCOUNT == identity["Account"]
    assert identity["UserId"].endswith(":session")


def test_an_ec_key_verifies_too(aws: World) -> None:
    """ES256, as clusters with EC keys sign."""
    assert aws.assume(aws.issuer.token(key=EC_KEY, kid="ec", algorithm="ES256"))["Audience"] == "sts.amazonaws.com"


@pytest.mark.parametrize("space", ["\n", " \n", "\r\n"], ids=["newline", "blank", "crlf"])
def test_white_space_around_the_token_is_dropped(aws: World, space: str) -> None:
    """boto3 sends the file as it is, trailing newline and all."""
    assert aws.assume(aws.issuer.token() + space)


NO_KEY = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity"
NOT_A_JWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
DENIED = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
BROKEN = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: "
NOW = int(time.time())

# What is wrong with the call, and AWS's code, status and (the beginning of its) text.
BAD = {
    "foreign signature": ({"key": FOREIGN_KEY}, {}, "InvalidIdentityToken", 400, NO_KEY),
    "unknown kid": ({"kid": "other"}, {}, "InvalidIdentityToken", 400, NO_KEY),
    "HS256": ({"key": "s" * 64, "algorithm": "HS256"}, {}, "InvalidIdentityToken", 400, NO_KEY),
    "expired": ({"exp": NOW - 400}, {}, "ExpiredTokenException", 400, "Token expired: current date/time "),
    "too old": ({"iat": NOW - 86500}, {}, "ExpiredTokenException", 400, "Token too old: "),
    "from the future": ({"nbf": NOW + 4000}, {}, "InvalidIdentityToken", 400, "Token is not yet valid"),
    "wrong sub": ({"sub": "system:serviceaccount:default:other"}, {}, "AccessDenied", 403, DENIED),
    "wrong aud": ({"aud": ["other"]}, {}, "InvalidIdentityToken", 400, "Incorrect token audience"),
    "two audiences": (
        {"aud": ["sts.amazonaws.com", "other"]}, {}, "InvalidIdentityToken", 400,
        "Token audience contains more than one audience while authorized party is not present",
    ),
    "no sub": ({"sub": None}, {}, "InvalidIdentityToken", 400, "Missing a required claim: sub"),
    "no aud": ({"aud": None}, {}, "InvalidIdentityToken", 400, "Missing a required claim: aud"),
    "no iat": ({"iat": None}, {}, "InvalidIdentityToken", 400, "Missing a required claim: iat"),
    "no exp": ({"exp": None}, {}, "InvalidIdentityToken", 400, "Missing a required claim: exp"),
    "issuer never registered": (
        {"iss": "https://other.example"}, {}, "InvalidIdentityToken", 400,
        "No OpenIDConnect provider found in your account for https://other.example",
    ),
    "garbage": ("garbage-token", {}, "InvalidIdentityToken", 400, NOT_A_JWT),
    "no such role": ({}, {"role": "nobody"}, "AccessDenied", 403, DENIED),
    "account without the provider": (
        {}, {"RoleArn": "arn:aws:iam::999988887777:role/s3-reader"}, "InvalidIdentityToken", 400,
        "No OpenIDConnect provider found in your account for ",
    ),
    "over the role's maximum": (
        {}, {"DurationSeconds": 7200}, "ValidationError", 400,
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    ),
    "duration too short": (
        {}, {"DurationSeconds": 899}, "ValidationError", 400,
        BROKEN.format("899", "durationSeconds") + "Member must have value greater than or equal to 900",
    ),
    "bad session name": (
        {}, {"RoleSessionName": "a b"}, "ValidationError", 400,
        BROKEN.format("a b", "roleSessionName") + r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
    ),
    "no ARN": ({}, {"RoleArn": "x" * 20}, "ValidationError", 400, "x" * 20 + " is invalid"),
    "ProviderId": (
        {}, {"ProviderId": "accounts.google.com"}, "AccessDenied", 403,
        "Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens",
    ),
}  # fmt: skip


@pytest.mark.parametrize("token, parameters, answer", [(case[0], case[1], case[2:]) for case in BAD.values()], ids=BAD)
def test_refused_as_aws_refuses(
    aws: World, token: Any, parameters: dict[str, Any], answer: tuple[str, int, str]
) -> None:
    """One fault at a time, answered with AWS's code, status and words."""
    text = token if isinstance(token, str) else aws.issuer.token(**token)
    seen = refusal(aws.assume, text, **parameters)
    assert answer[:2] == seen[:2]
    assert seen[2].startswith(answer[2])


def test_a_new_key_is_fetched_once(aws: World) -> None:
    """An unknown kid brings one refresh; a second one within the cool-down brings none."""
    aws.assume()
    refusal(aws.assume, aws.issuer.token(kid="rotated"))
    assert 1 == aws.issuer.asked.count("jwks")
