"""GetCallerIdentity, GetSessionToken and GetAccessKeyInfo for people with keys."""

import time

import pytest

from sts import identifiers
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
from tests.sts.world import World, key_of


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
