"""Attack: trying all codes of an MFA device with a stolen access key."""

from sts.mfa import TRIES, Device, Spent, code_at, seed

DEVICE = Device(
    "arn:aws:iam::111122223333:mfa/david",
    "arn:aws:iam::111122223333:user/david",
    seed("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
)
NOW = 1_800_000_000
RIGHT = code_at(DEVICE.seed, NOW // 30).decode()
WRONG = [
    code
    for code in map("{:06d}".format, range(20))
    if code.encode() not in {code_at(DEVICE.seed, NOW // 30 + n) for n in (-1, 0, 1)}
]


def test_after_some_wrong_codes_none_is_right() -> None:
    """Until the next half minute, so that a million tries take years."""
    spent = Spent()
    for code in WRONG[:TRIES]:
        assert not spent.spend(DEVICE, code, NOW)
    assert not spent.spend(DEVICE, RIGHT, NOW)
    assert spent.spend(DEVICE, code_at(DEVICE.seed, NOW // 30 + 1).decode(), NOW + 30)


def test_a_few_slips_lock_nobody_out() -> None:
    """Not an attack: mistyped, then right."""
    spent = Spent()
    for code in WRONG[: TRIES - 1]:
        assert not spent.spend(DEVICE, code, NOW)
    assert spent.spend(DEVICE, RIGHT, NOW)


def test_each_device_has_its_own_count() -> None:
    """Nobody locks out another's."""
    spent = Spent()
    for code in WRONG[:TRIES]:
        spent.spend(DEVICE, code, NOW)
    other = Device("arn:aws:iam::111122223333:mfa/peter", "arn:aws:iam::111122223333:user/peter", DEVICE.seed)
    assert spent.spend(other, RIGHT, NOW)
