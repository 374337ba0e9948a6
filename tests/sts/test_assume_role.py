# ruff: noqa: E501, ISC004 -- the tables read better with a case a line
"""AssumeRole as boto3 sees it: who may take which role, and what goes along."""

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest

from sts import mfa
from tests.sts.test_web_identity import BROKEN, refusal
from tests.sts.world import ACCOUNT, OTHER_ACCOUNT, USER_KEY, World, allow, key_of, statements, trust

PRODUCTION, DEVELOPMENT = ACCOUNT, OTHER_ACCOUNT
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the one of RFC 6238's examples
SERIAL = f"arn:aws:iam::{DEVELOPMENT}:mfa/david"
DAVID = f"arn:aws:iam::{DEVELOPMENT}:user/david"
KEYS = {
    "david": USER_KEY,
    "theresa": ("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"),
    "peter": ("AKIAQQQQQQQQQEXAMPLE", "made-up-secret-of-peter"),
    "<root_account>": ("AKIARRRRRRRRREXAMPLE", "made-up-secret-of-root"),
}


def role_arn(name: str, account: str = PRODUCTION) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def role(name: str, trusting: dict[str, Any], *allowed: str, **more: Any) -> dict[str, Any]:
    """A role with an identity policy."""
    policies = [{"PolicyName": "own", "PolicyDocument": allow(list(allowed))}] if allowed else []
    return {"RoleName": name, "AssumeRolePolicyDocument": trusting, "RolePolicyList": policies, **more}


OWN = {"AWS": f"arn:aws:iam::{DEVELOPMENT}:root"}
HERE = {"AWS": DEVELOPMENT}
ALL_RIGHTS = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


def roles(**conditions: Any) -> list[dict[str, Any]]:
    """The roles of Production: one for each rule."""
    return [
        role("UpdateApp", trust(OWN), "s3:*"),
        role("Partner", trust(OWN, Condition={"StringEquals": {"sts:ExternalId": "12345"}})),
        role("Guarded", trust(OWN, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        role("Tagged", statements(trust(OWN), trust(OWN, "sts:TagSession", Condition={"StringEquals": {"aws:RequestTag/team": "blue"}}))),
        role("Sourced", statements(trust(OWN), trust(OWN, "sts:SetSourceIdentity", Condition={"StringLike": {"sts:SourceIdentity": "d*"}}))),
        role("Named", trust(OWN, Condition={"StringLike": {"sts:RoleSessionName": "david-*"}})),
        role("Everyone", trust("*")),
        role("Denying", statements(trust(OWN), {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}]})),
        role("Chained", trust({"AWS": role_arn("hop", DEVELOPMENT)}, ALL_RIGHTS), MaxSessionDuration=43200),
        role("Long", trust(OWN), MaxSessionDuration=43200),
    ]  # fmt: skip


def two_accounts() -> dict[str, Any]:
    """Production with roles, Development with people, as IAM's tutorial on switching roles has them."""
    update = [role_arn("*"), role_arn("*", DEVELOPMENT)]
    return {
        "Accounts": [
            {"AccountId": PRODUCTION, "AccountAlias": "production", "RoleDetailList": roles()},
            {
                "AccountId": DEVELOPMENT,
                "AccountAlias": "development",
                "GroupDetailList": [
                    {
                        "GroupName": "Developers",
                        "GroupPolicyList": [
                            {"PolicyName": "switch", "PolicyDocument": allow(ALL_RIGHTS, update)}  # type: ignore[arg-type]
                        ],
                    },
                    {
                        "GroupName": "Testers",
                        "GroupPolicyList": [
                            {
                                "PolicyName": "stay",
                                "PolicyDocument": {
                                    "Version": "2012-10-17",
                                    "Statement": [
                                        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"},
                                        {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": role_arn("UpdateApp")},
                                    ],
                                },
                            }
                        ],
                    },
                ],
                "UserDetailList": [
                    {"UserName": "david", "GroupList": ["Developers"], "Tags": [{"Key": "team", "Value": "blue"}]},
                    {"UserName": "theresa", "GroupList": ["Testers"]},
                    {"UserName": "peter"},
                ],
                "RoleDetailList": [
                    role("hop", trust({"AWS": [DAVID]}, ALL_RIGHTS), *ALL_RIGHTS, MaxSessionDuration=43200),
                    role("peters", trust({"AWS": f"arn:aws:iam::{DEVELOPMENT}:user/peter"})),
                    role("ours", trust(HERE)),
                ],
                "AccessKeys": [
                    {"UserName": name, "AccessKeyId": key, "SecretAccessKey": secret}
                    for name, (key, secret) in KEYS.items()
                ],
                "VirtualMFADevices": [{"SerialNumber": SERIAL, "Base32StringSeed": SEED, "User": {"UserName": "david"}}],
            },
        ]
    }  # fmt: skip


@pytest.fixture
def company(aws: World) -> World:
    """Production and Development."""
    aws.accounts = two_accounts()
    aws.use(aws.accounts)
    return aws


def switch(here: World, name: str, who: str | tuple[str, ...] = "david", **more: Any) -> dict[str, Any]:
    """Assume a role of Production, or by its whole ARN."""
    arn = name if ":" in name else role_arn(name)
    key = KEYS[who] if isinstance(who, str) else who
    given = {"RoleArn": arn, "RoleSessionName": "david-session", **more}
    return dict(here.client(key=key).assume_role(**given))


def code(here: World, seconds: float = 0) -> str:
    """What david's device shows."""
    return mfa.code_at(mfa.seed(SEED), int(time.time() + here.offset + seconds) // 30).decode()


def not_authorized(who: str, arn: str, action: str = "sts:AssumeRole") -> tuple[str, int, str]:
    return ("AccessDenied", 403, f"User: {who} is not authorized to perform: {action} on resource: {arn}")


THERESA, PETER = (f"arn:aws:iam::{DEVELOPMENT}:user/{name}" for name in ("theresa", "peter"))

ALLOWED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a developer switches": ("UpdateApp", "david", {}),
    "with the external id": ("Partner", "david", {"ExternalId": "12345"}),
    "with the tag that is asked for": ("Tagged", "david", {"Tags": [{"Key": "team", "Value": "blue"}]}),
    "with a source identity": ("Sourced", "david", {"SourceIdentity": "david"}),
    "by a name that is asked for": ("Named", "david", {}),
    "everyone, with an own policy": ("Everyone", "david", {}),
    "same account, named itself, no own policy": (role_arn("peters", DEVELOPMENT), "peter", {}),
    "same account, by its account": (role_arn("ours", DEVELOPMENT), "david", {}),
    "twelve hours where the role has them": ("Long", "david", {"DurationSeconds": 43200}),
}

REFUSED: dict[str, tuple[str, str, dict[str, Any], tuple[str, int, str]]] = {
    "a tester is denied": ("UpdateApp", "theresa", {}, not_authorized(THERESA, role_arn("UpdateApp"))),
    "no own policy across accounts": ("Everyone", "peter", {}, not_authorized(PETER, role_arn("Everyone"))),
    "no own policy, trusted by account": (
        role_arn("ours", DEVELOPMENT), "peter", {}, not_authorized(PETER, role_arn("ours", DEVELOPMENT)),
    ),
    "own policy, not trusted": (
        role_arn("peters", DEVELOPMENT), "david", {}, not_authorized(DAVID, role_arn("peters", DEVELOPMENT)),
    ),
    "no such role": ("nobody", "david", {}, not_authorized(DAVID, role_arn("nobody"))),
    "no external id": ("Partner", "david", {}, not_authorized(DAVID, role_arn("Partner"))),
    "another external id": ("Partner", "david", {"ExternalId": "1"}, (
        "ValidationError", 400, BROKEN.format("1", "externalId") + "Member must have length greater than or equal to 2",
    )),
    "a wrong external id": ("Partner", "david", {"ExternalId": "54321"}, not_authorized(DAVID, role_arn("Partner"))),
    "no MFA": ("Guarded", "david", {}, not_authorized(DAVID, role_arn("Guarded"))),
    "another tag": (
        "Tagged", "david", {"Tags": [{"Key": "team", "Value": "red"}]},
        not_authorized(DAVID, role_arn("Tagged"), "sts:TagSession"),
    ),
    "a tag, and no right to tag": (
        "UpdateApp", "david", {"Tags": [{"Key": "team", "Value": "blue"}]},
        not_authorized(DAVID, role_arn("UpdateApp"), "sts:TagSession"),
    ),
    "another source identity": (
        "Sourced", "david", {"SourceIdentity": "peter"},
        not_authorized(DAVID, role_arn("Sourced"), "sts:SetSourceIdentity"),
    ),
    "a source identity of aws": (
        "Sourced", "david", {"SourceIdentity": "aws:x"}, ("ValidationError", 400, "1 validation error detected: "),
    ),
    "another session name": ("Named", "david", {"RoleSessionName": "peter"}, not_authorized(DAVID, role_arn("Named"))),
    "an explicit deny": ("Denying", "david", {}, not_authorized(DAVID, role_arn("Denying"))),
    "the root user": ("UpdateApp", "<root_account>", {}, (
        "AccessDenied", 403, "Roles may not be assumed by root accounts.",
    )),
    "over the role's maximum": ("UpdateApp", "david", {"DurationSeconds": 3601}, (
        "ValidationError", 400, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )),
    "no ARN": ("UpdateApp:but:not:an:arn:at:all", "david", {}, (
        "ValidationError", 400, "UpdateApp:but:not:an:arn:at:all is invalid",
    )),
    "two faults at once": ("UpdateApp", "david", {"RoleSessionName": "x", "DurationSeconds": 1}, (
        "ValidationError", 400, "2 validation errors detected: Value 'x' at 'roleSessionName' failed to satisfy constraint: "
        "Member must have length greater than or equal to 2; Value '1' at 'durationSeconds' failed to satisfy",
    )),
    "faults in lists and elsewhere": (
        "Tagged", "david", {"RoleSessionName": "x", "Tags": [{"Key": "", "Value": "v"}], "PolicyArns": [{"arn": "short"}]},
        ("ValidationError", 400, "3 validation errors detected: "),
    ),
    "a token size out of range": ("UpdateApp", "david", {"MinimumSessionTokenSize": 4097}, (
        "ValidationError", 400, BROKEN.format("4097", "minimumSessionTokenSize") + "Member must have value less than or equal to 4096",
    )),
    "a session policy too long to pack": ("UpdateApp", "david", {"Policy": '{"Version":"2012-10-17","Statement":[]}'.ljust(2049)}, (
        "PackedPolicyTooLarge", 400, "Session policies are longer than 2048 characters, please use smaller policy",
    )),
    "tag keys that differ in case": (
        "Tagged", "david", {"Tags": [{"Key": "team", "Value": "blue"}, {"Key": "Team", "Value": "blue"}]},
        ("InvalidParameterValue", 400, "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
    ),
    "a transitive key without its tag": ("Tagged", "david", {"TransitiveTagKeys": ["team"]}, (
        "InvalidParameterValue", 400, "The specified transitive tag key must be included in the requested tags.",
    )),
    "51 tags": ("Tagged", "david", {"Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)]}, (
        "ValidationError", 400, "1 validation error detected: Value at 'tags' failed to satisfy constraint: "
        "Member must have length less than or equal to 50",
    )),
    "a session policy that is none": ("UpdateApp", "david", {"Policy": "{}"}, ("MalformedPolicyDocument", 400, "")),
    "a policy ARN that is none": ("UpdateApp", "david", {"PolicyArns": [{"arn": f"arn:aws:iam::{PRODUCTION}:policy/no"}]}, (
        "MalformedPolicyDocument", 400, f"The policy arn:aws:iam::{PRODUCTION}:policy/no does not exist",
    )),
    "tags that do not fit": (
        "Tagged", "david", {"Tags": [{"Key": "team", "Value": "blue"}] + [
            {"Key": f"k{n}", "Value": hashlib.sha512(bytes([n])).hexdigest() * 2} for n in range(49)
        ]}, ("PackedPolicyTooLarge", 400, "Packed size of session tags consumes "),
    ),
    "half of MFA": ("Guarded", "david", {"SerialNumber": SERIAL}, (
        "AccessDenied", 403, "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
    )),
    "another's MFA device": ("Guarded", "peter", {"SerialNumber": SERIAL, "TokenCode": "123456"}, (
        "AccessDenied", 403, "MultiFactorAuthentication failed, unable to validate MFA code.",
    )),
    "a wrong code": ("Guarded", "david", {"SerialNumber": SERIAL, "TokenCode": "00000x"}, (
        "ValidationError", 400, "1 validation error detected: Value '***' at 'tokenCode' failed to satisfy constraint: ",
    )),
}  # fmt: skip


@pytest.mark.parametrize("name, who, parameters", ALLOWED.values(), ids=ALLOWED)
def test_may_switch(company: World, name: str, who: str, parameters: dict[str, Any]) -> None:
    """The credentials work, and say which role and session they are of."""
    identity = company.client(key=key_of(switch(company, name, who, **parameters))).get_caller_identity()
    assert identity["Arn"].endswith(f":assumed-role/{name.rpartition('/')[2]}/david-session")


@pytest.mark.parametrize("name, who, parameters, answer", REFUSED.values(), ids=REFUSED)
def test_may_not_switch(
    company: World, name: str, who: str, parameters: dict[str, Any], answer: tuple[str, int, str]
) -> None:
    """One fault at a time, answered with AWS's code, status and words."""
    if parameters.get("DurationSeconds") == 3601:
        company.accounts["Accounts"][0]["RoleDetailList"][0]["MaxSessionDuration"] = 3600
        company.use(company.accounts)
    seen = refusal(switch, company, name, who, **parameters)
    assert answer[:2] == seen[:2]
    assert seen[2].startswith(answer[2])


def test_a_code_opens_the_guarded_role_once(company: World) -> None:
    """A right code is good, used again it is not, and the next one is good again."""
    shown = code(company)
    assert switch(company, "Guarded", SerialNumber=SERIAL, TokenCode=shown)
    again = refusal(switch, company, "Guarded", SerialNumber=SERIAL, TokenCode=shown)
    assert ("AccessDenied", 403, "MultiFactorAuthentication failed, invalid MFA one time pass code.") == again
    assert switch(company, "Guarded", SerialNumber=SERIAL, TokenCode=code(company, 30))


def test_the_answer_of_a_scoped_session(company: World) -> None:
    """PackedPolicySize and SourceIdentity are there when something was passed, and only then."""
    plain = switch(company, "UpdateApp")
    sizes = {"SessionTokenSize", "SessionTokenUtilization"}
    assert {"Credentials", "AssumedRoleUser", "ResponseMetadata", *sizes} == set(plain)
    assert 1 <= switch(company, "UpdateApp", Policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}')["PackedPolicySize"] <= 100  # fmt: skip
    assert "david" == switch(company, "Sourced", SourceIdentity="david")["SourceIdentity"]


@pytest.mark.parametrize("least", [0, 700, 701, 702, 703, 4096])
def test_a_session_token_is_as_long_as_asked_for(company: World, least: int) -> None:
    """At the least, and it works; its size is in the answer."""
    answer = switch(company, "UpdateApp", MinimumSessionTokenSize=least)
    size = len(answer["Credentials"]["SessionToken"])
    assert max(least, 200) <= size < max(least, 600) + 40
    assert (size, -(-size * 100 // 4096)) == (answer["SessionTokenSize"], answer["SessionTokenUtilization"])
    assert company.client(key=key_of(answer)).get_caller_identity()


def test_chaining_ends_after_an_hour(company: World) -> None:
    """A role's session may take another role, for one hour at most."""
    hop = key_of(switch(company, role_arn("hop", DEVELOPMENT), DurationSeconds=7200))
    assert switch(company, "Chained", hop)
    over = refusal(switch, company, "Chained", hop, DurationSeconds=3601)
    text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    assert ("ValidationError", 400, text) == over
    both = refusal(switch, company, "UpdateApp", hop, DurationSeconds=3601)
    assert "The requested DurationSeconds exceeds the MaxSessionDuration set for this role." == both[2]


def test_transitive_tags_and_source_identity_go_along(company: World) -> None:
    """They are seen by the next role's trust policy, and can be neither replaced nor changed."""
    arn = role_arn("hop", DEVELOPMENT)
    tags = [{"Key": "team", "Value": "blue"}, {"Key": "shift", "Value": "late"}]
    hop = key_of(switch(company, arn, Tags=tags, TransitiveTagKeys=["team"], SourceIdentity="david"))
    company.accounts["Accounts"][0]["RoleDetailList"][8]["AssumeRolePolicyDocument"] = trust(
        {"AWS": arn},
        ALL_RIGHTS,
        Condition={
            "StringEquals": {"aws:RequestTag/team": "blue", "sts:SourceIdentity": "david", "aws:PrincipalTag/shift": "late"},
            "Null": {"aws:RequestTag/shift": "true"},
        },
    )  # fmt: skip
    company.use(company.accounts)
    assert "david" == switch(company, "Chained", hop)["SourceIdentity"]
    replaced = refusal(switch, company, "Chained", hop, Tags=[{"Key": "Team", "Value": "red"}])
    assert ("InvalidParameterValue", 400) == replaced[:2]
    assert "conflicts with a transitive tag key from the calling session" in replaced[2]
    changed = refusal(switch, company, "Chained", hop, SourceIdentity="peter")
    assert ("ValidationError", 400, "The source identity is already set for this assume role session") == changed


def test_a_session_policy_limits_the_session(aws_with_s3: World) -> None:
    """What the role may do and the session policy does not name is refused."""
    here = aws_with_s3
    here.accounts = two_accounts()
    here.use(here.accounts)
    everything, other = (
        f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}'
        for action in ("s3:*", "s3:GetObject")
    )
    assert "Buckets" in here.client("s3", key_of(switch(here, "UpdateApp", Policy=everything))).list_buckets()
    limited = here.client("s3", key_of(switch(here, "UpdateApp", Policy=other)))
    assert ("AccessDenied", 403) == refusal(limited.list_buckets)[:2]


def test_a_session_revoked_as_the_console_does_is_refused(aws_with_s3: World) -> None:
    """A Deny on tokens issued before a time ends the sessions of before, and no later one."""
    here = aws_with_s3
    here.accounts = two_accounts()
    here.use(here.accounts)
    old = here.client("s3", key_of(switch(here, "UpdateApp")))
    assert "Buckets" in old.list_buckets()
    here.offset = 100
    revoke = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 50))}},
        },
    }  # fmt: skip
    here.accounts["Accounts"][0]["RoleDetailList"][0]["RolePolicyList"].append(
        {"PolicyName": "AWSRevokeOlderSessions", "PolicyDocument": revoke}
    )
    here.use(here.accounts)
    assert ("AccessDenied", 403) == refusal(old.list_buckets)[:2]
    assert "Buckets" in here.client("s3", key_of(switch(here, "UpdateApp"))).list_buckets()


GUARDS: dict[str, tuple[dict[str, Any], bool]] = {
    "its region": ({"StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}, True),
    "another region": ({"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
    "not by a service": ({"Bool": {"aws:ViaAWSService": "true"}}, True),
    "by a service only": ({"Bool": {"aws:ViaAWSService": "false"}}, False),
    "a service itself only": ({"Bool": {"aws:PrincipalIsAWSService": "false"}}, False),
    "its account": ({"StringNotEquals": {"aws:ResourceAccount": PRODUCTION}}, True),
    "another account": ({"StringNotEquals": {"aws:ResourceAccount": DEVELOPMENT}}, False),
    "its client": ({"StringNotLike": {"aws:UserAgent": "Boto3/*"}}, True),
    "not without TLS": ({"Bool": {"aws:SecureTransport": "false"}}, False),
}


@pytest.mark.parametrize("condition, switches", GUARDS.values(), ids=GUARDS)
def test_guards_that_deny_by_circumstances(company: World, condition: dict[str, Any], switches: bool) -> None:
    """As organisations have them: what a request always says on AWS it says here, so such a Deny holds nobody up."""
    guard = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    policies = company.accounts["Accounts"][1]["GroupDetailList"][0]["GroupPolicyList"]
    policies.append({"PolicyName": "guard", "PolicyDocument": {"Version": "2012-10-17", "Statement": guard}})
    company.use(company.accounts)
    if switches:
        assert switch(company, "UpdateApp")
    else:
        assert not_authorized(DAVID, role_arn("UpdateApp")) == refusal(switch, company, "UpdateApp")


def test_a_role_made_anew_ends_its_sessions(company: World) -> None:
    """Another unique id is another role, whatever its name."""
    session = company.client(key=key_of(switch(company, "UpdateApp")))
    company.accounts["Accounts"][0]["RoleDetailList"][0]["RoleId"] = "AROAEXAMPLEEXAMPLE222"
    company.use(company.accounts)
    assert ("InvalidClientTokenId", 403) == refusal(session.get_caller_identity)[:2]


def test_a_changed_trust_policy_leaves_sessions_alone(company: World) -> None:
    """It decides on new sessions only."""
    session = company.client(key=key_of(switch(company, "UpdateApp")))
    company.accounts["Accounts"][0]["RoleDetailList"][0]["AssumeRolePolicyDocument"] = trust({"AWS": ACCOUNT})
    company.use(company.accounts)
    assert session.get_caller_identity()
    assert ("AccessDenied", 403) == refusal(switch, company, "UpdateApp")[:2]


def test_the_example_of_switching_roles(aws_with_s3: World) -> None:
    """The example's file, as it stands: the developer switches and lists, the tester is refused."""
    file = Path(__file__).parents[2] / "examples" / "role-switching" / "accounts.yaml"
    aws_with_s3.state.use_accounts(file.read_bytes())
    session = key_of(switch(aws_with_s3, "UpdateApp"))
    assert "Buckets" in aws_with_s3.client("s3", session).list_buckets()
    assert ("AccessDenied", 403) == refusal(aws_with_s3.client("s3", KEYS["david"]).list_buckets)[:2]
    assert not_authorized(THERESA, role_arn("UpdateApp")) == refusal(switch, aws_with_s3, "UpdateApp", "theresa")
