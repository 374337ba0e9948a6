"""The key ledger, as the server finds it mounted: it publishes with it what no source says."""

import json
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import trustme

from oidc import commands, record
from oidc.errors import DocumentError, SourceError
from oidc.jwk import from_members
from oidc.lifecycle import Ledger, Timing, observe
from oidc.publisher import Publisher
from oidc.record import Record
from oidc.sources import Observation
from oidc.sources.ledger import LedgerFile
from tests.oidc.keys import jwk, private_jwk
from tests.oidc.process import Process, client, started, until
from tests.oidc.upstream import ISSUER, running

KEYS = {name: from_members(jwk(name)) for name in "abc"}
TIMING = Timing(retain=1000, max_age=300)


class Cluster:
    """A source that a test rotates, or takes away."""

    place = "a cluster"

    def __init__(self, names: str) -> None:
        self.names = names

    async def observe(self) -> Observation:
        if not self.names:
            raise SourceError("away")
        return Observation(ISSUER, tuple(KEYS[name] for name in self.names))


class Clock:
    """Seconds that a test turns."""

    def __init__(self) -> None:
        self.now = 10_000.0

    def __call__(self) -> float:
        return self.now


def ledger(names: str, now: int = 10_000) -> Ledger:
    return observe(Ledger(ISSUER), tuple(KEYS[name] for name in names), now, TIMING)


def written(ledger: Ledger) -> Record:
    """The only cluster's ledger, as the ConfigMap has it."""
    return Record({ledger.issuer: ledger}, {"": ledger.issuer})


def kids(publisher: Publisher) -> str:
    return "".join(key.kid for key in publisher.published.keys) if publisher.published else ""


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_without_a_source_the_ledger_is_published(clock: Clock) -> None:
    """A container that restarts while the API server is away serves what it served before, with its date."""
    publisher = Publisher(Cluster(""), timing=TIMING, clock=clock)
    publisher.read(written(ledger("ab", now=1_000)))
    assert not await publisher.poll()
    assert "ab" == kids(publisher)
    assert publisher.published is not None
    assert (ISSUER, 1_000) == (publisher.published.issuer, publisher.published.jwks.modified)


async def test_a_staged_key_is_published_beside_the_sources(clock: Clock) -> None:
    """And while it is next, caches are to look again soon."""
    publisher = Publisher(Cluster("a"), timing=TIMING, clock=clock)
    await publisher.poll()
    assert not publisher.pending
    publisher.read(written(commands.stage(ledger("a"), KEYS["b"], 10_000)))
    assert ("ab", True) == (kids(publisher), publisher.pending)


async def test_a_dropped_key_goes_though_the_source_has_it_or_is_away(clock: Clock) -> None:
    """The command works at the next look, whatever the API server does."""
    cluster = Cluster("ab")
    publisher = Publisher(cluster, timing=TIMING, clock=clock)
    await publisher.poll()
    publisher.read(written(commands.drop(ledger("ab"), "a", 10_001, force=True)))
    assert "b" == kids(publisher)
    await publisher.poll()
    assert "b" == kids(publisher)
    cluster.names = ""
    await publisher.poll()
    assert "b" == kids(publisher)


async def test_a_vanished_key_stays_for_its_time_without_any_ledger(clock: Clock) -> None:
    """The process remembers what it has seen; then the key goes, though no source answers."""
    cluster = Cluster("ab")
    publisher = Publisher(cluster, timing=TIMING, clock=clock)
    await publisher.poll()
    cluster.names = "b"
    await publisher.poll()
    cluster.names, clock.now = "", 10_999
    publisher.read(Record())
    assert "ab" == kids(publisher)
    clock.now = 11_000
    publisher.read(Record())
    assert "b" == kids(publisher)


async def test_a_vanished_key_is_published_no_moment_too_short(clock: Clock) -> None:
    """Seconds are rounded where its time begins, and not once more where it ends."""
    cluster = Cluster("ab")
    publisher = Publisher(cluster, timing=TIMING, clock=clock)
    await publisher.poll()
    cluster.names, clock.now = "b", 10_000.3
    await publisher.poll()
    clock.now = 11_000.2
    await publisher.poll()
    assert "ab" == kids(publisher)
    clock.now = 11_001
    await publisher.poll()
    assert "b" == kids(publisher)


def vanished(names: str, first: str, retain: int) -> Ledger:
    """A ledger that had all of `names`, and misses `first` since 10 000."""
    timing = Timing(retain=retain)
    before = observe(Ledger(ISSUER), tuple(KEYS[name] for name in names), 9_000, timing)
    return observe(before, tuple(KEYS[name] for name in names if name != first), 10_000, timing)


@pytest.mark.parametrize(
    "now, names, retain, expected",
    [
        pytest.param(10_050, "b", 100, "ab", id="neither's time is over"),
        pytest.param(10_100, "b", 100, "b", id="by the ledger it is over, by the process's own longer time not"),
        pytest.param(11_500, "b", 2_000, "ab", id="by the process's own shorter time it is over, by the ledger not"),
        pytest.param(12_000, "b", 2_000, "b", id="over by both"),
        pytest.param(10_100, "ab", 100, "ab", id="the source has it again"),
    ],
)
async def test_the_ledgers_time_counts(now: int, names: str, retain: int, expected: str, clock: Clock) -> None:
    """The keeper's options and the server's may differ; the process's own is 1000 seconds here."""
    cluster = Cluster("ab")
    publisher = Publisher(cluster, timing=TIMING, clock=clock)
    await publisher.poll()
    cluster.names = "b"
    await publisher.poll()
    clock.now = now
    kept = observe(vanished("ab", "a", retain), (KEYS["b"],), now, Timing(retain=retain))
    cluster.names = names
    await publisher.poll()
    publisher.read(written(kept))
    assert expected == kids(publisher)


@pytest.mark.parametrize(
    "now, expected",
    [
        pytest.param(8_000, 8_000, id="a ledger of a clock that is ahead: not in the future"),
        pytest.param(10_500, 9_000, id="the ledger's"),
        pytest.param(11_500, 11_000, id="a key's time has ended, and no keeper has written that down"),
    ],
)
async def test_last_modified_is_when_the_published_set_became_what_it_is(now: int, expected: int, clock: Clock) -> None:
    """Who asks If-Modified-Since must not be told that nothing has, and RFC 9110 wants no date in the future."""
    publisher = Publisher(Cluster(""), timing=TIMING, clock=clock)
    clock.now = now
    publisher.read(written(vanished("ab", "a", 1000)))
    assert publisher.published is not None
    assert expected == publisher.published.jwks.modified


async def test_a_ledger_that_means_an_earlier_life_of_a_key_does_not_end_this_one(clock: Clock) -> None:
    """It was over once, came back and vanished again while no keeper ran: its new tokens live."""
    over = observe(vanished("ab", "a", 100), (KEYS["b"],), 10_100, Timing(retain=100))
    cluster = Cluster("ab")
    publisher = Publisher(cluster, timing=TIMING, clock=clock)
    clock.now = 20_000
    await publisher.poll()
    cluster.names = "b"
    await publisher.poll()
    publisher.read(written(over))
    assert "ab" == kids(publisher)
    clock.now = 21_001
    publisher.read(written(over))
    assert "b" == kids(publisher)


async def test_the_ledger_holds_a_restarted_server_to_what_it_was(clock: Clock) -> None:
    """Gates remember across restarts: a disjoint set and another issuer are refused by a new process, too."""
    publisher = Publisher(Cluster("c"), timing=TIMING, clock=clock)
    publisher.read(written(ledger("ab")))
    assert not await publisher.poll()
    assert "ab" == kids(publisher)
    publisher = Publisher(Cluster("a"), timing=TIMING, clock=clock)
    publisher.read(written(Ledger("https://other.example.com", ledger("a").entries)))
    assert not await publisher.poll()
    assert publisher.published is not None
    assert "https://other.example.com" == publisher.published.issuer


async def test_each_cluster_finds_its_own_ledger_while_its_api_server_is_away(clock: Clock) -> None:
    """The ledger says whose issuer each is."""
    other = "https://other.example.com"
    both = Record({ISSUER: ledger("a"), other: Ledger(other, ledger("b").entries)}, {"blue": ISSUER, "green": other})
    for name, issuer, expected in (("blue", ISSUER, "a"), ("green", other, "b"), ("red", None, "")):
        publisher = Publisher(Cluster(""), cluster=name, timing=TIMING, clock=clock)
        publisher.read(both)
        assert (issuer, expected) == (publisher.published and publisher.published.issuer, kids(publisher))


async def test_naming_the_new_issuer_accepts_it(clock: Clock) -> None:
    """With --issuer the operator has said so; the old one's ledger is another's."""
    publisher = Publisher(Cluster("a"), issuer=ISSUER, timing=TIMING, clock=clock)
    publisher.read(written(Ledger("https://other.example.com", ledger("b").entries)))
    assert await publisher.poll()
    assert (ISSUER, "a") == (publisher.published and publisher.published.issuer, kids(publisher))


async def test_staging_one_of_a_new_clusters_keys_accepts_them(clock: Clock) -> None:
    """The way through the gate against disjoint sets is a command, which leaves a trace."""
    publisher = Publisher(Cluster("c"), timing=TIMING, clock=clock)
    publisher.read(written(commands.stage(ledger("ab"), KEYS["c"], 10_000)))
    assert await publisher.poll()
    assert "abc" == kids(publisher)


@pytest.mark.parametrize("theirs, said", [(299, 1), (300, 0), (301, 0)])
async def test_a_ledger_that_counts_with_a_shorter_max_age_is_told_of(
    theirs: int, said: int, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: `irsa keys stage` would name a time at which some cache still has the set without the key."""
    publisher = Publisher(Cluster("a"), timing=TIMING, clock=clock)
    record = Record({ISSUER: ledger("a")}, {"": ISSUER}, Timing(max_age=theirs))
    publisher.read(record)
    publisher.read(record)
    assert said == sum("shorter --max-age" in each.getMessage() for each in caplog.records)


async def test_the_file_may_come_and_go_and_be_wrong(tmp_path: Path) -> None:
    """No file is no ledger; a private key in it condemns it."""
    file = LedgerFile(tmp_path)
    assert Record() == await file.read()
    (tmp_path / "ledger.json").write_bytes(record.encode(written(ledger("a"))))
    assert written(ledger("a")) == await file.read()
    secret = private_jwk("a")["d"]
    spoilt = record.encode(written(ledger("a"))).replace(b'"kid": "a"', b'"kid": "a", "d": "%s"' % secret.encode())
    (tmp_path / "ledger.json").write_bytes(spoilt)
    with pytest.raises(Exception, match="private member 'd'") as refusal:
        await file.read()
    assert secret not in str(refusal.value)
    (tmp_path / "ledger.json").write_bytes(b"{")
    with pytest.raises(DocumentError, match="no key ledger"):
        await file.read()


async def test_a_ledger_that_is_broken_is_told_of_once_and_so_is_its_cure(tmp_path: Path) -> None:
    """A source that answers meanwhile neither hides the trouble nor has it told at each look."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        (tmp_path / "ledger.json").write_bytes(b"{")
        options = [f"--kube-api={upstream.url}", f"--kube-ca-file={tmp_path}/upstream.pem", "--poll=20ms"]
        async with started(*options, f"--ledger={tmp_path}") as server:
            await server.said("published")
            for name in ('irsa_oidc_polls_total{cluster="",result="ok"}', MALFORMED):
                await until(lambda name=name: at_least(server, name, 5))
            (tmp_path / "ledger.json").unlink()
            await server.said("the ledger can be read again")
            told = [entry["of"] for entry in server.log if "of" in entry]
            assert ["ledger"] == told
            assert not [entry for entry in server.log if entry["message"].startswith("the source confirms")]


MALFORMED = 'irsa_oidc_ledger_failures_total{cluster="",result="malformed"}'


async def at_least(server: Process, name: str, count: int) -> bool:
    return await server.sample(name) >= count


async def test_the_process_serves_from_the_mount_alone(tmp_path: Path) -> None:
    """Ready with the API server away from its very start; what is staged later appears."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.status = 503
        (tmp_path / "ledger.json").write_bytes(record.encode(written(ledger("a", now=1_700_000_000))))
        options = [f"--kube-api={upstream.url}", f"--kube-ca-file={tmp_path}/upstream.pem", "--poll=20ms"]
        async with started(*options, f"--ledger={tmp_path}") as server, client(server, None) as answers:
            await server.said("published")
            assert 200 == (await server.metrics("/readyz"))[0]
            answer, body = await answers.get("/openid/v1/jwks")
            assert ["a"] == [key["kid"] for key in json.loads(body)["keys"]]
            assert 1_700_000_000 == parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp()
            assert "public, max-age=3600, stale-if-error=86400" == answer.headers["Cache-Control"]
            staged = commands.stage(ledger("a", now=1_700_000_000), KEYS["b"], 1_700_000_001)
            (tmp_path / "new").write_bytes(record.encode(written(staged)))
            (tmp_path / "new").rename(tmp_path / "ledger.json")
            await server.said("published", count=2)
            answer, body = await answers.get("/openid/v1/jwks")
            assert ["a", "b"] == [key["kid"] for key in json.loads(body)["keys"]]
            assert "public, max-age=60, stale-if-error=86400" == answer.headers["Cache-Control"]
            assert 1 == await server.sample('irsa_oidc_rotation_pending{cluster=""}')
