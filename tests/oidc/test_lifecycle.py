"""The life of a key, as a table of looks at the source and as invariants over any history."""

import contextlib
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidc import commands, record
from oidc.commands import UnsafeError
from oidc.jwk import JWK, from_members
from oidc.lifecycle import Ledger, State, Timing, is_lasting, is_published, observe, pending, published
from tests.oidc.keys import jwk

KEYS: dict[str, JWK] = {name: from_members(jwk(name)) for name in "abcd"}
TIMING = Timing(token_lifetime=600, skew=60, max_age=300, lead=300)
RETAIN = 960
EMPTY = Ledger("https://oidc.example.com")


def look(ledger: Ledger, names: str, now: float, signer: str | None = None) -> Ledger:
    return observe(ledger, tuple(KEYS[name] for name in names), now, TIMING, signer)


def states(ledger: Ledger) -> str:
    """Such as `a:current b:next`."""
    return " ".join(f"{kid}:{entry.state}" for kid, entry in sorted(ledger.entries.items()))


# (when, what the source has, which of them signs), then what is expected after the last look
HISTORIES = [
    pytest.param([(0, "a", None)], "a:current", id="the first key"),
    pytest.param([(0, "ab", None)], "a:current b:current", id="two, and nobody knows which signs"),
    pytest.param([(0, "ab", "b")], "a:retiring b:current", id="two, and one is seen to sign"),
    pytest.param([(0, "a", "a"), (9, "ab", "a")], "a:current b:next", id="a second one that does not sign yet"),
    pytest.param([(0, "a", None), (9, "ab", None)], "a:current b:current", id="a second one that may sign"),
    pytest.param([(0, "a", "a"), (9, "ab", "b")], "a:retiring b:current", id="a second one that signs at once"),
    pytest.param([(0, "a", "a"), (9, "ab", "a"), (20, "ab", "b")], "a:retiring b:current", id="the next takes over"),
    pytest.param([(0, "ab", "a"), (9, "ab", "b"), (20, "ab", "a")], "a:current b:retiring", id="rolled back"),
    pytest.param([(0, "ab", None), (9, "b", None)], "a:retiring b:current", id="one vanishes"),
    pytest.param([(0, "ab", "a"), (9, "b", "a")], "a:retiring b:retiring", id="an old token does not make a signer"),
    pytest.param([(0, "ab", None), (9, "b", None), (9, "ab", None)], "a:current b:current", id="one comes back"),
    pytest.param([(0, "ab", None), (9, "b", None), (968, "b", None)], "a:retiring b:current", id="a second too early"),
    pytest.param([(0, "ab", None), (9, "b", None), (969, "b", None)], "a:gone b:current", id="its time is over"),
    pytest.param(
        [(0, "ab", None), (9.3, "b", None), (969.2, "b", None)], "a:retiring b:current", id="a tenth too early"
    ),
    pytest.param([(0, "ab", "b"), (9999, "ab", "b")], "a:retiring b:current", id="never gone while a source has it"),
    pytest.param([(0, "a", "a"), (9, "ab", "a"), (20, "a", "a")], "a:current b:retiring", id="a next that vanishes"),
    pytest.param(
        [(0, "ab", None), (9, "b", None), (969, "b", None), (969 + 31 * 86400, "b", None)], "b:current", id="forgotten"
    ),
    pytest.param(
        [(0, "ab", None), (9, "b", None), (969, "b", None), (999, "ab", None)], "a:current b:current", id="reborn"
    ),
]


@pytest.mark.parametrize("looks, expected", HISTORIES)
def test_histories(looks: list[tuple[float, str, str | None]], expected: str) -> None:
    """What each look at the source makes of the keys."""
    ledger = EMPTY
    for when, names, signer in looks:
        ledger = look(ledger, names, when, signer)
    assert expected == states(ledger)


def test_a_key_that_nobody_looks_at_is_not_published_beyond_its_time() -> None:
    """A server whose source is away still lets a vanished key go."""
    ledger = look(look(EMPTY, "ab", 0), "b", 9)
    assert (KEYS["a"], KEYS["b"]) == published(ledger, 9 + RETAIN - 1)
    assert (KEYS["b"],) == published(ledger, 9 + RETAIN)


def test_a_rotation_is_pending_while_a_key_is_next_and_until_caches_have_a_new_one() -> None:
    """Caches look again sooner then; the first set of all is no rotation."""
    first = look(EMPTY, "a", 0, "a")
    assert not pending(first, 0, 300)
    assert pending(look(first, "ab", 1000, "a"), 99_999, 300)
    assert pending(look(first, "ab", 1000), 1299, 300)
    assert not pending(look(first, "ab", 1000), 1300, 300)


# --- commands


def test_a_staged_key_is_published_and_may_sign_once_caches_have_it() -> None:
    """It waits for as long as the API server does not have it, then goes through its life."""
    staged = commands.stage(look(EMPTY, "a", 0, "a"), KEYS["b"], 10)
    assert "a:current b:next" == states(look(staged, "a", 99_999, "a"))
    assert (KEYS["a"], KEYS["b"]) == published(staged, 10)
    assert 310 == commands.signs_from(staged.entries["b"], TIMING)
    assert "a:retiring b:current" == states(look(staged, "ab", 400, "b"))


@pytest.mark.parametrize(
    "looks, command, reason, wait",
    [
        pytest.param([(0, "ab", "a")], ("retire", "a"), "is current", None, id="retire what signs"),
        pytest.param([(0, "a", "a"), (5, "ab", "a")], ("retire", "b"), "is next", None, id="retire what a source has"),
        pytest.param([(0, "ab", None), (9, "b", None)], ("retire", "a"), "may still live", 949, id="retire too early"),
        pytest.param([(0, "ab", "b")], ("retire", "a"), "may still live", 940, id="retire too early, still there"),
        pytest.param([(0, "a", None)], ("retire", "z"), "no key z", None, id="retire the unknown"),
        pytest.param([(0, "a", "a")], ("drop", "a"), "is current", None, id="drop what signs"),
        pytest.param([(0, "a", "a")], ("force", "a"), "the only one", None, id="drop the last by force"),
        pytest.param(
            [(0, "ab", None), (1, "b", None), (999, "b", None)], ("drop", "a"), "gone", None, id="drop the gone"
        ),
        pytest.param([(0, "a", None)], ("stage", "a"), "published already", None, id="stage the current"),
    ],
)
def test_unsafe_steps(
    looks: list[tuple[float, str, str | None]], command: tuple[str, str], reason: str, wait: int | None
) -> None:
    """Each is refused with its reason, and how long to wait where that helps."""
    ledger = EMPTY
    for when, names, signer in looks:
        ledger = look(ledger, names, when, signer)
    now = max(looks[-1][0], 20)
    with pytest.raises(UnsafeError, match=reason) as refusal:
        run(ledger, command, now)
    assert wait == refusal.value.wait


def run(ledger: Ledger, command: tuple[str, str], now: float) -> Ledger:
    """A command by its word, as the command line gives it."""
    match command:
        case "stage", name:
            return commands.stage(ledger, KEYS[name], now)
        case "retire", name:
            return commands.retire(ledger, name, now, TIMING)
        case word, name:
            return commands.drop(ledger, name, now, force=word == "force")


def test_a_dropped_key_stays_out_though_the_source_has_it() -> None:
    """Whoever leaked it can sign with it; no look at the source brings it back, nor does staging it."""
    dropped = commands.drop(look(EMPTY, "ab", 0, "b"), "a", 10)
    assert (KEYS["b"],) == published(look(dropped, "ab", 20, "a"), 20)
    assert (KEYS["b"],) == published(look(dropped, "ab", 99_999_999), 99_999_999)
    with pytest.raises(UnsafeError, match="was withdrawn"):
        commands.stage(dropped, KEYS["a"], 20)


def test_a_key_whose_time_is_over_can_be_retired_though_the_source_still_has_it() -> None:
    """An API server that is not yet restarted does not keep it alive for ever."""
    ledger = look(look(EMPTY, "ab", 0, "a"), "ab", 50, "b")
    assert (KEYS["b"],) == published(commands.retire(ledger, "a", 50 + RETAIN, TIMING), 50 + RETAIN)


def test_a_key_that_was_staged_for_nothing_can_be_taken_back() -> None:
    """It never signed, so there is nothing to wait for."""
    staged = commands.stage(look(EMPTY, "a", 0), KEYS["b"], 10)
    assert (KEYS["a"],) == published(commands.retire(staged, "b", 11, TIMING), 11)


# --- invariants over any history

ALLOWED = {
    (State.NEXT, State.CURRENT), (State.NEXT, State.RETIRING), (State.NEXT, State.GONE),
    (State.CURRENT, State.RETIRING), (State.CURRENT, State.GONE),
    (State.RETIRING, State.CURRENT), (State.RETIRING, State.GONE),
    (State.GONE, State.CURRENT), (State.GONE, State.RETIRING), (State.GONE, State.NEXT),
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """A look at the source, some seconds later."""

    after: float
    names: str
    signer: str | None


@dataclass(frozen=True)
class Command:
    """A command, some seconds later."""

    after: float
    word: str
    name: str


NAMES = st.sets(st.sampled_from(sorted(KEYS)), min_size=1).map(lambda names: "".join(sorted(names)))
SECONDS = st.integers(0, 15_000).map(lambda tenths: tenths / 10)
LOOKS = st.builds(Look, SECONDS, NAMES, st.sampled_from([None, *KEYS]))
COMMANDS = st.builds(
    Command, SECONDS, st.sampled_from(["stage", "retire", "drop", "force"]), st.sampled_from(sorted(KEYS))
)
HISTORY = st.lists(st.one_of(LOOKS, LOOKS, COMMANDS), max_size=25)


@settings(max_examples=100, deadline=None)
@given(HISTORY)
def test_no_token_outlives_its_key_and_no_key_its_time(history: list[Look | Command]) -> None:
    """Rules 1 and 2 hold, withdrawn keys stay out, no command takes the last key, and only known steps are taken."""
    ledger, now, might_sign = look(EMPTY, "a", 0), 0.0, {"a": 0.0}
    for step in history:
        now += step.after
        before = ledger
        if isinstance(step, Look):
            ledger = look(ledger, step.names, now, step.signer)
            assert ledger == look(ledger, step.names, now, step.signer), "a second look at once changes nothing"
            might_sign.update(dict.fromkeys(step.names, now))
        else:
            with contextlib.suppress(UnsafeError):
                ledger = run(ledger, (step.word, step.name), now)
        kids = {key.kid for key in published(ledger, now)}
        withdrawn = {kid for kid, entry in ledger.entries.items() if entry.withdrawn}
        living = {kid for kid, seen in might_sign.items() if now < seen + RETAIN}
        if isinstance(step, Look):
            assert set(step.names) - withdrawn <= kids, "what the source has is published"
        assert living - withdrawn <= kids, "what may have signed a living token is published"
        assert not withdrawn & kids
        assert {kid for kid, entry in before.entries.items() if entry.withdrawn} <= withdrawn, "withdrawn is for ever"
        if isinstance(step, Command) and step.word == "retire":
            newly = withdrawn - {kid for kid, entry in before.entries.items() if entry.withdrawn}
            assert all(before.entries[kid].state in {State.NEXT, State.RETIRING} for kid in newly)
        assert any(is_lasting(entry) for entry in ledger.entries.values()) or ledger == before or isinstance(step, Look)
        for kid, entry in before.entries.items():
            after = ledger.entries.get(kid)
            state = entry.state if is_published(entry, now) else State.GONE  # overdue, though nobody had looked
            assert after is None or after.state in {state, entry.state} or (state, after.state) in ALLOWED


@settings(max_examples=100, deadline=None)
@given(HISTORY)
def test_what_is_written_is_what_is_read(history: list[Look | Command]) -> None:
    """Any ledger comes back from its bytes, and equal ledgers have equal bytes."""
    ledger, now = EMPTY, 0.0
    for step in history:
        now += step.after
        if isinstance(step, Look):
            ledger = look(ledger, step.names, now, step.signer)
    kept = record.Record({ledger.issuer: ledger}, {"": ledger.issuer}, TIMING)
    written = record.encode(kept)
    assert kept == record.decode(written, "here")
    assert written == record.encode(record.decode(written, "here"))


@settings(max_examples=100, deadline=None)
@given(HISTORY)
def test_changed_is_when_the_published_set_did(history: list[Look | Command]) -> None:
    """Last-Modified may be built on it."""
    ledger, now = EMPTY, 0.0
    for step in history:
        now += step.after + 1
        before = ledger
        if isinstance(step, Look):
            ledger = look(ledger, step.names, now, step.signer)
            alive = [{k for k, e in each.entries.items() if e.state is not State.GONE} for each in (before, ledger)]
            assert (ledger.changed == int(now)) == (alive[0] != alive[1])


def ledger_bytes(issuer: str = "https://e", kid: str = "a", **changes: object) -> bytes:
    """A ledger of one key, with something wrong in it."""
    entry = {"key": jwk("a"), "state": "next", "since": 1, "first_seen": 1, **changes}
    return msgspec.json.encode({"version": 1, "issuers": {issuer: {"issuer": issuer, "entries": {kid: entry}}}})


def test_a_ledger_of_one_key_is_read() -> None:
    """What is wrong below is what stands there, and nothing else."""
    assert ["a"] == list(record.decode(ledger_bytes(), "here").issuers["https://e"].entries)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no issuers"),
        pytest.param(b'{"version": 2, "issuers": {}}', id="a later version"),
        pytest.param(b'{"issuers": {"https://e": {"issuer": "https://f", "entries": {}}}}', id="another's issuer"),
        pytest.param(b'{"issuers": {"https://e": {"issuer": "https://e", "entries": {"a": {}}}}}', id="no key"),
        pytest.param(b" " * (1 << 20) + b"{}", id="too large"),
        pytest.param(ledger_bytes(kid="z"), id="another's kid"),
        pytest.param(ledger_bytes(state="lost"), id="no state"),
        pytest.param(ledger_bytes("http://e"), id="an issuer without https"),
        pytest.param(ledger_bytes("https://[e"), id="an issuer that is no URL"),
        pytest.param(ledger_bytes(since=-1), id="a time before all times"),
        pytest.param(ledger_bytes(until=10**18), id="a time that has no date"),
        pytest.param(ledger_bytes(key=jwk("a", crv="P-384")), id="a point of another curve"),
        pytest.param(ledger_bytes(key=jwk("a", n="AQAB")), id="members of two kinds of keys"),
    ],
)
def test_what_is_no_ledger_is_refused(data: bytes) -> None:
    """The file that the ConfigMap mounts may hold anything."""
    with pytest.raises(record.DocumentError):
        record.decode(data, "here")
