"""GetCallerIdentity, GetSessionToken and GetAccessKeyInfo for people with keys."""

import time

import pytest

from sts import identifiers
from sts.callers import authenticate
from sts.circumstances import of_caller
from tests.sts.test_assume_role import (
    DAVID,
    DEVELOPMENT,
    KEYS,
    SERIAL,
    code,
    company,  # noqa: F401 -- a fixture
    switch,
)
from tests.sts.test_web_identity import refusal
from tests.sts.world import World, key_of, signed_at, signed_request, trust


def test_who_a_user_is(company: World) -> None:  # noqa: F811 -- the fixture
    """ARN, unique id and account."""
    identity = company.client(key=KEYS["david"]).get_caller_identity()
    assert (DAVID, DEVELOPMENT) == (identity["Arn"], identity["Account"])
    assert identity["UserId"].startswith("AIDA")
    assert DEVELOPMENT == identifiers.account_of(identity["UserId"])


def test_who_the_root_user_is(company: World) -> None:  # noqa: F811 -- the fixture
    """Its id is the account."""
    identity = company.client(key=KEYS["<root_account>"]).get_caller_identity()
    assert (f"arn:aws:iam::{DEVELOPMENT}:root", DEVELOPMENT) == (identity["Arn"], identity["UserId"])


@pytest.mark.parametrize("who, hours", [("david", 12), ("<root_account>", 1)])
def test_a_session_of_ones_own(company: World, who: str, hours: int) -> None:  # noqa: F811 -- the fixture
    """The same identity, for twelve hours; the root user's for one."""
    answer = company.client(key=KEYS[who]).get_session_token()
    left = answer["Credentials"]["Expiration"].timestamp() - time.time()
    assert hours * 3600 - 10 < left <= hours * 3600
    arn = company.client(key=key_of(answer)).get_caller_identity()["Arn"]
    assert company.client(key=KEYS[who]).get_caller_identity()["Arn"] == arn


def test_a_session_cannot_get_a_session(company: World) -> None:  # noqa: F811 -- the fixture
    """Neither a user's nor a role's."""
    for answer in (company.client(key=KEYS["david"]).get_session_token(), switch(company, "UpdateApp")):
        seen = refusal(company.client(key=key_of(answer)).get_session_token)
        assert ("AccessDenied", 403, "Cannot call GetSessionToken with session credentials") == seen


def test_a_session_with_mfa_opens_the_guarded_role(company: World) -> None:  # noqa: F811 -- the fixture
    """The device shown once is remembered by the session; without it the role stays closed."""
    without = key_of(company.client(key=KEYS["david"]).get_session_token())
    assert ("AccessDenied", 403) == refusal(switch, company, "Guarded", without)[:2]
    answer = company.client(key=KEYS["david"]).get_session_token(SerialNumber=SERIAL, TokenCode=code(company))
    assert switch(company, "Guarded", key_of(answer))


def test_a_session_remembers_when_mfa_was_shown(company: World) -> None:  # noqa: F811 -- the fixture
    """A role that wants it within the hour is open for an hour."""
    guarded = next(each for each in company.accounts["Accounts"][0]["RoleDetailList"] if each["RoleName"] == "Guarded")
    guarded["AssumeRolePolicyDocument"] = trust(
        {"AWS": DEVELOPMENT}, Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}
    )
    company.use(company.accounts)
    session = key_of(company.client(key=KEYS["david"]).get_session_token(SerialNumber=SERIAL, TokenCode=code(company)))
    plain = key_of(company.client(key=KEYS["david"]).get_session_token())
    assert switch(company, "Guarded", session)
    assert ("AccessDenied", 403) == refusal(switch, company, "Guarded", plain)[:2]
    state, request = company.state.now(), signed_request(session)
    for after in (0, 800):
        now = signed_at(request) + after
        caller = authenticate(request, service="sts", accounts=state.accounts, sealing=state.sealing, now=now)
        assert int(of_caller(caller)["aws:MultiFactorAuthAge"]) in range(after, after + 60)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [899, 129601])
def test_durations_of_a_session(company: World, seconds: int) -> None:  # noqa: F811 -- the fixture
    """15 minutes to 36 hours."""
    seen = refusal(company.client(key=KEYS["david"]).get_session_token, DurationSeconds=seconds)
    assert ("ValidationError", 400) == seen[:2]


def test_the_account_of_a_key(company: World) -> None:  # noqa: F811 -- the fixture
    """Decoded from the id, for a key that nobody here holds too; the root user may ask."""
    root = company.client(key=KEYS["<root_account>"])
    strange = identifiers.mint("AKIA", "000000000042", b"\x55" * 6)
    assert "000000000042" == root.get_access_key_info(AccessKeyId=strange)["Account"]
    session = key_of(switch(company, "UpdateApp"))
    assert "111122223333" == root.get_access_key_info(AccessKeyId=session[0])["Account"]
    assert DEVELOPMENT == root.get_access_key_info(AccessKeyId=KEYS["peter"][0])["Account"]
    assert ("ValidationError", 400) == refusal(root.get_access_key_info, AccessKeyId="AKIAEXAMPLEEXAMPLE77")[:2]


def test_the_account_of_a_key_needs_the_right(company: World) -> None:  # noqa: F811 -- the fixture
    """`sts:GetAccessKeyInfo` is an action like others."""
    seen = refusal(company.client(key=KEYS["peter"]).get_access_key_info, AccessKeyId=KEYS["peter"][0])
    assert ("AccessDenied", 403) == seen[:2]


def test_a_users_session_is_good_for_two_actions_only(company: World) -> None:  # noqa: F811 -- the fixture
    """AssumeRole and GetCallerIdentity; even the owner's session may not ask for the account of a key."""
    session = company.client(key=key_of(company.client(key=KEYS["<root_account>"]).get_session_token()))
    seen = refusal(session.get_access_key_info, AccessKeyId=KEYS["peter"][0])
    assert ("AccessDenied", 403, "Cannot call GetAccessKeyInfo with session credentials") == seen
