"""What annotations give a pod, and what is said where they are wrong."""

import pytest

from webhook.annotations import (
    MAX_EXPIRATION,
    Defaults,
    PodWishes,
    RoleBinding,
    Unbound,
    partition_of,
    read_pod,
    read_service_account,
    skipped,
)

ARN = "arn:aws:iam::111122223333:role/s3-reader"
PREFIX = "eks.amazonaws.com/"


def read(annotations: dict[str, str], **defaults: object) -> RoleBinding | Unbound:
    keyed = {key if "/" in key else PREFIX + key: value for key, value in annotations.items()}
    return read_service_account("demo/app", keyed, Defaults(**defaults))


def binding(annotations: dict[str, str], **defaults: object) -> RoleBinding:
    found = read({"role-arn": ARN, **annotations}, **defaults)
    assert isinstance(found, RoleBinding)
    return found


def test_a_role_alone_takes_every_default_from_the_flags() -> None:
    """Audience, expiration and STS mode are the flags' where no annotation says otherwise."""
    assert RoleBinding(ARN, "aud.example", 1234, True) == binding(
        {}, audience="aud.example", expiration=1234, regional_sts=True
    )


@pytest.mark.parametrize(
    "annotations",
    [{}, {"audience": "a"}, {"role-arn": ""}, {"example.com/role": ARN}],
    ids=["nothing", "no-role", "empty-role", "foreign"],
)
def test_without_a_role_there_is_no_binding(annotations: dict[str, str]) -> None:
    """Only a role that is not empty turns injection on."""
    assert isinstance(read(annotations), Unbound)


@pytest.mark.parametrize(
    "text, seconds",
    [("3600", 3600), ("+700", 700), ("599", 600), ("0", 600), ("-5", 600), ("99999999999", MAX_EXPIRATION)],
)
def test_an_expiration_is_brought_within_what_kubernetes_takes(text: str, seconds: int) -> None:
    """Too little becomes 600; too much, which the API server would refuse the pod for, becomes the most it takes."""
    assert seconds == binding({"token-expiration": text}).expiration


@pytest.mark.parametrize("text", ["1h", " 700", "", "7_00", "0x400", "٣٦٠٠", "9" * 19, "9" * 300])
def test_an_expiration_that_is_no_number_is_ignored_with_a_warning(text: str) -> None:
    """The next in precedence holds, here the flag."""
    found = binding({"token-expiration": text})
    assert 86400 == found.expiration
    assert "token-expiration" in found.warnings[0]


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_true_as_go_writes_it(text: str) -> None:
    """The annotation turns regional STS on against the flag."""
    assert binding({"sts-regional-endpoints": text}, regional_sts=False).regional_sts


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_false_as_go_writes_it(text: str) -> None:
    """The annotation turns regional STS off against the flag."""
    assert not binding({"sts-regional-endpoints": text}, regional_sts=True).regional_sts


@pytest.mark.parametrize("text", ["yes", "", "tRUE", "on"])
def test_another_boolean_is_ignored_with_a_warning(text: str) -> None:
    """The flag's value stays."""
    found = binding({"sts-regional-endpoints": text}, regional_sts=True)
    assert found.regional_sts
    assert "sts-regional-endpoints" in found.warnings[0]


@pytest.mark.parametrize(
    "role", ["not-an-arn", "arn:aws:iam::1:role/x", f"{ARN} ", f"{ARN}\n", "arn:aws:iam::111122223333:user/x"]
)
def test_a_role_that_is_no_arn_is_injected_as_it_is_with_a_warning(role: str) -> None:
    """The SDK's error names the very text; the warning says what would be right."""
    found = read({"role-arn": role})
    assert isinstance(found, RoleBinding)
    assert role == found.role_arn
    assert "arn:aws:iam::111122223333:role/NAME" in found.warnings[0]


@pytest.mark.parametrize(
    "role", [ARN, "arn:aws-cn:iam::111122223333:role/a/b", "arn:aws:iam::111122223333:role/+=,.@-_"]
)
def test_a_good_arn_has_no_warning(role: str) -> None:
    """Every partition and every character that IAM allows."""
    assert () == binding({"role-arn": role}).warnings


@pytest.mark.parametrize(
    "role, composed",
    [
        ("reader", "arn:aws-cn:iam::111122223333:role/reader"),
        ("path/reader", "arn:aws-cn:iam::111122223333:role/path/reader"),
        (ARN, ARN),
    ],
)
def test_a_role_is_composed_where_an_account_is_known(role: str, composed: str) -> None:
    """`--account-id` makes an ARN of what has no `arn:`."""
    assert composed == binding({"role-arn": role}, account_id="111122223333", partition="aws-cn").role_arn


@pytest.mark.parametrize(
    "region, partition",
    [
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
        ("", "aws"),
    ],
)
def test_the_partition_follows_from_the_region(region: str, partition: str) -> None:
    """By the region's prefix."""
    assert partition == partition_of(region)


def test_an_unknown_annotation_is_named() -> None:
    """Whoever misspelt it reads which ones are known."""
    found = read({"rolearn": ARN})
    assert isinstance(found, Unbound)
    assert f"{PREFIX}rolearn is not known" in found.warnings[0]
    assert f"{PREFIX}role-arn" in found.warnings[0]


def test_a_role_under_another_prefix_is_noticed() -> None:
    """`eks.amazon.com/role-arn` is the classic."""
    found = read({"eks.amazon.com/role-arn": ARN})
    assert isinstance(found, Unbound)
    assert f"did you mean {PREFIX}role-arn?" in found.warnings[0]


def test_an_empty_audience_is_kept_and_warned_of() -> None:
    """The token is then one for the API server, as with the Go webhook; nobody wants that unknowingly."""
    found = binding({"audience": ""})
    assert "" == found.audience
    assert "API server" in found.warnings[0]


@pytest.mark.parametrize(
    "text, names",
    [
        ("", set()),
        ("a", {"a"}),
        ("a,b", {"a", "b"}),
        ("a, b ", {"a", "b"}),
        ('"a",b', {"a", "b"}),
        ('"a', set()),
        ("a\nb", {"a"}),
        (",,", set()),
        (" ", set()),
    ],
)
def test_skip_containers_is_the_first_csv_record_trimmed(text: str, names: set[str]) -> None:
    """A broken quote skips nothing."""
    assert names == skipped(text)


def test_the_pod_says_only_how_long_and_whom_to_skip() -> None:
    """A role on the pod has no effect, and the warning says so."""
    wishes = read_pod(
        {PREFIX + "token-expiration": "700", PREFIX + "skip-containers": "a", PREFIX + "role-arn": ARN},
        "eks.amazonaws.com",
    )
    assert (700, {"a"}) == (wishes.expiration, wishes.skip)
    assert "role-arn is not known" in wishes.warnings[0]
    assert PodWishes() == read_pod({"example.com/a": "b"}, "eks.amazonaws.com")
