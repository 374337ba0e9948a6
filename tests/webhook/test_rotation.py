"""A CA is replaced without a moment in which anybody who believes what is published is refused."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from webhook import bundle, rotation
from webhook.authority import Pair, new_authority, sign
from webhook.rotation import AUTHORITY_LIFE, LEAF_LIFE, SETTLE, Authorities, Step

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def authorities(since: datetime = START) -> Authorities:
    made = new_authority("test CA", since, AUTHORITY_LIFE)
    return Authorities(made.certificate, made.key, since=since)


def prepared() -> Authorities:
    fresh = new_authority("next CA", START, AUTHORITY_LIFE)
    return rotation.advance(authorities(), Step.PREPARE, START, (fresh.certificate, fresh.key))


def promoted() -> Authorities:
    return rotation.advance(prepared(), Step.PROMOTE, START + SETTLE, (b"", b""))


@pytest.mark.parametrize(
    "state, after, seen, step",
    [
        (authorities, DAY, True, Step.KEEP),
        (authorities, 200 * DAY, True, Step.KEEP),
        (authorities, 244 * DAY, False, Step.PREPARE),
        (authorities, 366 * DAY, True, Step.REPLACE),
        (authorities, -2 * DAY, True, Step.REPLACE),
        (prepared, timedelta(0), True, Step.KEEP),
        (prepared, SETTLE, False, Step.KEEP),
        (prepared, SETTLE, True, Step.PROMOTE),
        (prepared, 366 * DAY, False, Step.PROMOTE),
        (promoted, SETTLE, True, Step.KEEP),
        (promoted, LEAF_LIFE + SETTLE, True, Step.KEEP),
        (promoted, LEAF_LIFE + 3 * SETTLE, False, Step.DROP),
    ],
    ids=[
        "young", "two-thirds-not-over", "two-thirds-over", "over", "clock-before-its-beginning", "just-prepared",
        "not-published-everywhere", "published-and-settled", "over-while-prepared", "just-promoted",
        "old-leaves-still-shown", "old-leaves-over",
    ],
)  # fmt: skip
def test_what_is_done_when(state: object, after: timedelta, seen: bool, step: Step) -> None:
    """PREPARE at two thirds of the life, PROMOTE when everybody has seen it, DROP when the last old leaf is over."""
    assert callable(state)
    assert step is rotation.step(state(), START + after, seen=seen)


def test_a_whole_life_without_a_moment_of_distrust() -> None:
    """Hour by hour through two years: whatever leaf a replica shows is trusted by what was published an hour ago.

    One replica re-signs as soon as it sees a new authority; another is slow and shows its old leaf to its very end.
    """
    state = authorities()
    published = [state.published()]
    shown = {"quick": (state, START), "slow": (state, START)}
    steps = []
    for hours in range(0, 2 * 365 * 24, 6):
        now = START + timedelta(hours=hours)
        step = rotation.step(state, now, seen=True)
        if step is not Step.KEEP:
            steps.append(step)
            made = new_authority("test CA", now, AUTHORITY_LIFE)
            state = rotation.advance(state, step, now, (made.certificate, made.key))
        shown["quick"] = (state, now)
        if now - shown["slow"][1] >= LEAF_LIFE - timedelta(hours=6):
            shown["slow"] = (state, now)
        for signer, _ in shown.values():
            assert signer.certificate in published[-1] or signer.certificate == state.certificate
            assert signer.certificate in state.published()
        published.append(state.published())
    assert [Step.PREPARE, Step.PROMOTE, Step.DROP] * 2 == steps[:6]
    assert Step.REPLACE not in steps


@pytest.mark.parametrize(
    "begun, due",
    [(-1, True), (0, False), (4, False), (5, True), (9, True)],
    ids=["future", "new", "young", "old", "over"],
)
def test_a_leaf_is_renewed_at_two_thirds(begun: int, due: bool) -> None:
    """Or where it lies in the future, since somebody's clock was wrong."""
    made = authorities()
    leaf = sign(Pair(made.certificate, made.key), ("a.example",), START, LEAF_LIFE).parsed()
    assert due is rotation.due(leaf, START + begun * DAY - (timedelta(hours=2) if begun < 0 else timedelta(0)))


def configuration(*bundles: bytes) -> dict[str, object]:
    webhooks = [
        {"name": f"w{n}", "clientConfig": {"caBundle": base64.b64encode(each).decode()}}
        for n, each in enumerate(bundles)
    ]
    return {"metadata": {"resourceVersion": "7"}, "webhooks": webhooks}


OURS, THEIRS = authorities().certificate, authorities().certificate


@pytest.mark.parametrize(
    "there, extra_since, written, extra",
    [
        (b"", None, True, False),
        (b"not PEM at all", None, True, False),
        (OURS, None, False, False),
        (OURS.replace(b"\n", b"\r\n") + b"\n", None, False, False),
        (THEIRS, None, True, True),
        (OURS + THEIRS, None, False, True),
        (OURS + THEIRS, START - timedelta(seconds=59), False, True),
        (OURS + THEIRS, START - timedelta(seconds=60), True, True),
    ],
    ids=["empty", "junk", "right", "folded-otherwise", "overwritten", "more", "more-for-a-while", "more-for-long"],
)
def test_the_bundle_is_corrected(there: bytes, extra_since: datetime | None, written: bool, extra: bool) -> None:
    """What is missing is added at once; what is too much goes only after a minute."""
    operations, more = bundle.corrections(configuration(there), [OURS], START, extra_since)
    assert (written, extra) == (bool(operations), more)
    if written:
        assert {"op": "test", "path": "/metadata/resourceVersion", "value": "7"} == operations[0]


def test_every_webhook_of_the_configuration_counts() -> None:
    """One that does not trust us is corrected, and until then nothing is verified."""
    operations, _ = bundle.corrections(configuration(OURS, b""), [OURS], START, None)
    assert ["/webhooks/1/clientConfig/caBundle"] == [each["path"] for each in operations[1:]]
    with pytest.raises(bundle.BundleError):
        bundle.corrections(configuration(), [OURS], START, None)


def test_only_an_authority_that_signed_it_verifies_a_leaf() -> None:
    """A name is not enough: the signature counts."""
    made = authorities()
    leaf = sign(Pair(made.certificate, made.key), ("a.example",), START, LEAF_LIFE).certificate
    assert bundle.verifies(configuration(made.certificate), leaf)
    assert bundle.verifies(configuration(OURS + made.certificate), leaf)
    assert not bundle.verifies(configuration(OURS), leaf)
    assert not bundle.verifies(configuration(made.certificate, OURS), leaf)
    assert not bundle.verifies(configuration(made.certificate), b"")
