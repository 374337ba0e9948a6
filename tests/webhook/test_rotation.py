"""A CA is replaced without a moment in which anybody who believes what is published is refused."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import trustme

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
    "after, holds",
    [
        (timedelta(days=-2), False),
        (timedelta(), True),
        (AUTHORITY_LIFE - timedelta(days=1), True),
        (AUTHORITY_LIFE, False),
    ],
    ids=["a clock set back", "new", "old", "over"],
)
def test_an_authority_signs_from_its_beginning_to_its_end(after: timedelta, holds: bool) -> None:
    """Who verifies with the same clock trusts nothing that is signed before or after."""
    assert holds == rotation.holds(authorities(), START + after)


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


def configuration(*bundles: bytes, url: str = "https://a.example:8443/mutate") -> dict[str, object]:
    webhooks = [
        {"name": f"w{n}", "clientConfig": {"url": url, "caBundle": base64.b64encode(each).decode()}}
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
    """What is missing is added at once; what is too much goes only after a minute, also where something was missing."""
    operations, more = bundle.corrections(configuration(there), [OURS], START, extra_since)
    assert (written, extra) == (bool(operations), more)
    if written:
        assert {"op": "test", "path": "/metadata/resourceVersion", "value": "7"} == operations[0]
        after = list(bundle.parse(base64.b64decode(operations[1]["value"])))
        old = [key for key in bundle.parse(there) if extra_since is None and key not in bundle.parse(OURS)]
        assert [*bundle.parse(OURS), *old] == after


def test_every_webhook_of_the_configuration_counts() -> None:
    """One that does not trust us is corrected, and until then nothing is verified."""
    operations, _ = bundle.corrections(configuration(OURS, b""), [OURS], START, None)
    assert ["/webhooks/1/clientConfig/caBundle"] == [each["path"] for each in operations[1:]]
    with pytest.raises(bundle.BundleError):
        bundle.corrections(configuration(), [OURS], START, None)


def leaf_of(made: Authorities, *names: str, now: datetime = START, life: timedelta = LEAF_LIFE) -> bytes:
    return sign(Pair(made.certificate, made.key), names or ("a.example",), now, life).certificate


MADE, EARLIER = authorities(), authorities(START - 2 * AUTHORITY_LIFE)


@pytest.mark.parametrize(
    "there, chain, why",
    [
        (configuration(MADE.certificate), leaf_of(MADE), ""),
        (configuration(OURS + MADE.certificate), leaf_of(MADE), ""),
        (configuration(OURS), leaf_of(MADE), "does not trust"),
        (configuration(MADE.certificate, OURS), leaf_of(MADE), "does not trust"),
        (configuration(MADE.certificate), b"", "no certificate"),
        (configuration(MADE.certificate), leaf_of(MADE, now=START - DAY, life=DAY / 2), "valid from"),
        (configuration(MADE.certificate), leaf_of(MADE, now=START + DAY), "valid from"),
        (configuration(EARLIER.certificate), leaf_of(EARLIER, now=START - 2 * AUTHORITY_LIFE), "valid from"),
        (configuration(MADE.certificate), leaf_of(MADE, "b.example"), "not for a.example"),
        (configuration(MADE.certificate), leaf_of(MADE, "*.example"), ""),
        (configuration(MADE.certificate), leaf_of(MADE, "*.a.example"), "not for a.example"),
        (configuration(MADE.certificate), leaf_of(MADE, "A.EXAMPLE"), ""),
        (configuration(MADE.certificate, url="https://127.0.0.1:1"), leaf_of(MADE), "not for 127.0.0.1"),
        (configuration(MADE.certificate), MADE.certificate, "not for a.example"),
        (configuration(OURS), leaf_of(MADE) + MADE.certificate, "does not trust"),
        (configuration(OURS), leaf_of(MADE) + OURS, "does not trust"),
    ],
    ids=[
        "trusted", "among-others", "by-another", "by-one-of-two", "nothing-served", "over", "not-begun",
        "all-of-it-over", "another-name", "wildcard", "wildcard-of-what-is-below", "capitals", "an-address",
        "the-authority-itself", "with-its-own-authority", "with-an-authority-that-did-not-sign",
    ],
)  # fmt: skip
def test_why_an_api_server_would_refuse_what_is_served(there: dict[str, object], chain: bytes, why: str) -> None:
    """Signature, dates and name, as it verifies them; anything else would be ready, and no pod would get its role."""
    said = bundle.objection(there, chain, START)
    assert why in said
    assert bool(why) == bool(said)


def test_an_intermediate_may_stand_between() -> None:
    """What is served brings it along, in any order; one that is missing, or over, breaks the chain."""
    root = trustme.CA()
    between = root.create_child_ca()
    served = between.issue_cert("a.example").cert_chain_pems
    leaf, middle = (each.bytes() for each in served)
    there, now = configuration(root.cert_pem.bytes()), datetime.now(UTC)
    assert not bundle.objection(there, leaf + middle, now)
    assert not bundle.objection(there, leaf + OURS + middle, now)
    assert "does not trust" in bundle.objection(there, leaf, now)


def test_the_name_is_the_services() -> None:
    """Of a configuration as the chart writes it."""
    there = configuration(MADE.certificate)
    there["webhooks"][0]["clientConfig"]["service"] = {"name": "irsa-webhook", "namespace": "irsa-system"}  # type: ignore[index]
    assert not bundle.objection(there, leaf_of(MADE, "irsa-webhook.irsa-system.svc"), START)
    assert "irsa-webhook.irsa-system.svc" in bundle.objection(there, leaf_of(MADE), START)
