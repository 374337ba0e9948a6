"""A server whose sources fail at random, and what it answers meanwhile: never a 5xx, never a set that was not right.

The bounded one runs always; SOAK_SECONDS=3600 makes it the hour of `make nightly`.
"""

import asyncio
import json
import os
import random
import time
from pathlib import Path

import pytest
import trustme

from oidc import commands, record
from oidc.jwk import from_members
from oidc.lifecycle import Ledger
from oidc.record import Record
from tests.oidc.keys import jwk, private_jwk
from tests.oidc.process import Client, Process, certificate, client, started
from tests.oidc.upstream import ISSUER, Upstream, running

PATHS = ("/openid/v1/jwks", "/.well-known/openid-configuration")
GOOD = [jwk("a"), jwk("b")]
ROTATED = [jwk("b"), jwk("c", "RS256")]
EVERY = {"a", "b", "c", "d"}
FAILURES = ("refused", "unreachable", "malformed")
STAGED = record.encode(
    Record({ISSUER: commands.stage(Ledger(ISSUER), from_members(jwk("d")), 1_700_000_000)}, {"": ISSUER})
)


def weather(upstream: Upstream, ledger: Path, chance: random.Random) -> None:
    """Let something happen to the source, or to the mounted ledger."""
    upstream.status, upstream.raw, upstream.issuer, upstream.keys = 200, None, ISSUER, GOOD
    match chance.randrange(10):
        case 0:
            upstream.status = chance.choice([302, 401, 403, 404, 429, 500, 503])
        case 1:
            upstream.raw = chance.choice([b"", b"{}", b"<html>", b"[" * 99_999, b"\xff\xfe", b'{"keys": 7}'])
        case 2:
            upstream.issuer = chance.choice(["https://other.example.com", "https://[bad", "", "\ud800", "http://a"])
        case 3:
            upstream.keys = chance.choice([[], [jwk("z")], [*GOOD, private_jwk("y")], [*GOOD, jwk("z", kid="a")]])
        case 4 | 5:
            upstream.keys = ROTATED
        case 6:
            ledger.unlink(missing_ok=True)
        case 7:
            content = chance.choice(
                [STAGED, STAGED, b"", b"{", b"\xff\xfe", STAGED.replace(b'"kid"', b'"d": "", "kid"')]
            )
            ledger.with_suffix(".new").write_bytes(content)
            ledger.with_suffix(".new").rename(ledger)


async def ask(answers: Client, until: float, seen: dict[int, int], pause: float) -> None:
    etags: dict[str, str] = {}
    while time.monotonic() < until:
        for path in PATHS:
            answer, body = await answers.get(path, If_None_Match=etags.get(path, '"none"'))
            seen[answer.status] = seen.get(answer.status, 0) + 1
            if answer.status == 200 and path == PATHS[0]:
                kids = {key["kid"] for key in json.loads(body)["keys"]}
                assert "b" in kids <= EVERY
            if answer.status == 200:
                etags[path] = answer.headers["ETag"]
        await asyncio.sleep(pause)


async def has_failed(server: Process) -> bool:
    """Whether the source has failed in every way; on a busy machine that takes as long as it takes."""
    _, text = await server.metrics()
    return all(f'irsa_oidc_polls_total{{cluster="",result="{failure}"}}' in text for failure in FAILURES)


async def soak(folder: Path, seconds: float, seed: int, pause: float = 0) -> dict[int, int]:
    authority, chance, seen = trustme.CA(), random.Random(seed), {}  # noqa: S311 -- weather, not a secret
    async with running(authority, folder) as upstream:
        upstream.keys = GOOD
        ledger = folder / "ledger" / "ledger.json"
        ledger.parent.mkdir()
        source = [f"--kube-api={upstream.url}", f"--kube-ca-file={folder}/upstream.pem", "--poll=10ms", "--retain=1s"]
        files = certificate(authority, folder)
        async with (
            started(*source, f"--ledger={ledger}", *files) as server,
            client(server, authority) as answers,
        ):
            await server.said("published")
            until = time.monotonic() + seconds
            asking = [asyncio.create_task(ask(answers, until, seen, pause)) for _ in range(4)]
            while not all(task.done() for task in asking) or not await has_failed(server):
                weather(upstream, ledger, chance)
                await asyncio.sleep(0.05)
            await asyncio.gather(*asking)
            assert 200 == (await server.metrics("/readyz"))[0]
    return seen


async def test_for_some_seconds(tmp_path: Path) -> None:
    """Every kind of failure, again and again; only 200 and 304 come out."""
    seen = await soak(tmp_path, 3, seed=1)
    assert {200, 304} == seen.keys()


@pytest.mark.nightly
@pytest.mark.timeout(4000)
async def test_for_an_hour(tmp_path: Path) -> None:
    """The same for as long as SOAK_SECONDS says, with pauses: it is the hour that counts, not the load."""
    seen = await soak(tmp_path, float(os.environ.get("SOAK_SECONDS", "3600")), seed=int(time.time()), pause=0.02)
    print(f"answers by status: {seen}")
    assert {200, 304} == seen.keys()
