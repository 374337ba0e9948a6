"""`irsa oidc export`: the served bytes as files, in a folder and in an S3 server, and a check of what is live."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from botocore.config import Config
from moto.server import ThreadedMotoServer

from oidc import commands, export, record
from oidc.destinations.directory import Directory
from oidc.destinations.s3 import Bucket
from oidc.errors import RefusedError, SourceError
from oidc.export import Artifact
from oidc.jwk import from_members
from oidc.lifecycle import Ledger, Timing, observe
from oidc.publisher import Publisher
from tests.oidc.cluster import irsa
from tests.oidc.keys import jwk, public_pem
from tests.oidc.process import client, started
from tests.oidc.test_sources import says
from tests.oidc.upstream import ISSUER, running

FILES = ["openid/v1/jwks", ".well-known/openid-configuration"]
KEYS = {name: from_members(jwk(name)) for name in "abc"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A real S3 server on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    name = f"keys-{abs(hash(request.node.name))}"
    s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))
    s3.create_bucket(Bucket=name)
    return boto3.resource("s3", endpoint_url=endpoint).Bucket(name)


async def published(names: str) -> Publisher:
    publisher = Publisher(says(names))
    await publisher.look()
    return publisher


async def artifacts(names: str) -> tuple[Artifact, Artifact]:
    publication = (await published(names)).published
    assert publication is not None
    return export.artifacts(publication, 600)


async def test_the_files_are_what_the_server_answers(tmp_path: Path) -> None:
    """Byte for byte, in a folder and from a process over TLS."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys = [jwk("b"), jwk("a", "RS256")]
        options = [f"--kube-api={upstream.url}", f"--kube-ca-file={tmp_path}/upstream.pem"]
        code, out, err = await irsa("oidc", "export", *options, f"--to={tmp_path}/site", "--output=json")
        assert 0 == code, err
        assert FILES == json.loads(out)["written"], "keys first, discovery second"
        async with started(*options) as server, client(server, None) as answers:
            await server.said("published")
            for path in FILES:
                assert (await answers.get("/" + path))[1] == (tmp_path / "site" / path).read_bytes()
        assert {*FILES} == {
            str(p.relative_to(tmp_path / "site")) for p in (tmp_path / "site").rglob("*") if p.is_file()
        }
        code, out, _ = await irsa("oidc", "export", *options, f"--to={tmp_path}/site")
        assert (0, True) == (code, "up to date" in out)


async def test_a_bucket_gets_types_and_cache_headers(bucket: Any, endpoint: str) -> None:
    """What a relying party sees of a bucket is what it sees of the server."""
    code, _, err = await irsa(
        "oidc", "export", f"--source-issuer={ISSUER}", f"--to=s3://{bucket.name}/a/b", f"--endpoint-url={endpoint}"
    )
    assert (1, True) == (code, ISSUER in err), "no source, no export"
    assert [] == list(bucket.objects.all())
    destination = Bucket(f"s3://{bucket.name}/a/b", endpoint)
    for artifact in await artifacts("a"):
        assert destination.write(artifact)
        assert not destination.write(artifact), "the same again is no write"
    assert {f"a/b/{path}" for path in FILES} == {each.key for each in bucket.objects.all()}
    found = bucket.Object("a/b/openid/v1/jwks").get()
    assert "application/jwk-set+json" == found["ContentType"]
    assert "public, max-age=600, stale-if-error=86400" == found["CacheControl"]
    assert (await artifacts("a"))[0].body == found["Body"].read()


async def test_of_two_exports_at_once_one_is_refused(bucket: Any, endpoint: str) -> None:
    """Neither writes over what it has not seen: on a new object as on one that is there."""
    one, other = Bucket(f"s3://{bucket.name}", endpoint), Bucket(f"s3://{bucket.name}", endpoint)
    first, second = (await artifacts("a"))[0], (await artifacts("ab"))[0]
    for here in (first, second):
        one.read(here.path)
        other.read(here.path)
        assert one.write(here)
        with pytest.raises(SourceError, match="somebody else wrote it"):
            other.write(Artifact(here.path, b"{}", "x", "y"))


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """The folder is served: where a disk is full, here by a limit on files, it keeps no half a file."""
    (tmp_path / "sa.pub").write_bytes(public_pem("a"))
    site = tmp_path / "site"
    export = ["oidc", "export", f"--key-file={tmp_path}/sa.pub", f"--issuer={ISSUER}", f"--to={site}"]
    command = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-m", "irsa", *export]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (1, True) == (done.returncode, "File too large" in done.stderr), done.stderr
    assert [] == [each for each in site.rglob("*") if each.is_file()]


async def test_an_export_does_not_take_a_living_key(tmp_path: Path) -> None:
    """It has no memory: what vanished from the source goes only if the ledger says so, or the operator."""
    site = Directory(tmp_path)
    for artifact in await artifacts("ab"):
        site.write(artifact)
    publisher = await published("b")
    before = site.read(FILES[0])
    with pytest.raises(RefusedError, match="no ledger says"):
        write(publisher, site)
    with pytest.raises(RefusedError, match="was published before"):
        write(await published("c"), site, allow_removal=True)
    assert before == site.read(FILES[0])
    ledger = observe(Ledger(ISSUER), (KEYS["a"], KEYS["b"]), 1000, Timing())
    ledger = observe(ledger, (KEYS["b"],), 1000, Timing(retain=10))
    publisher.read(record.Record({ISSUER: ledger}))
    assert [FILES[0]] == write(publisher, site)
    assert b'"b"' in (site.read(FILES[0]) or b"")
    assert b'"a"' not in (site.read(FILES[0]) or b"")


def write(publisher: Publisher, site: Directory, *, allow_removal: bool = False) -> list[str]:
    from oidc import exporting

    return exporting.write(publisher, site, 600, allow_removal=allow_removal)


async def test_a_staged_key_is_exported_too(bucket: Any, endpoint: str, tmp_path: Path) -> None:
    """By the command, with the ledger's file; and caches are to look again soon, as those of a server."""
    ledger = commands.stage(observe(Ledger(ISSUER), (KEYS["a"],), 1000, Timing()), KEYS["b"], 1001)
    (tmp_path / "ledger.json").write_bytes(record.encode(record.Record({ISSUER: ledger}, {"": ISSUER})))
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        options = [f"--kube-api={upstream.url}", f"--kube-ca-file={tmp_path}/upstream.pem", "--output=json"]
        options += [f"--to=s3://{bucket.name}", f"--endpoint-url={endpoint}"]
        for more, kids, max_age in (([], ["a"], 3600), ([f"--ledger={tmp_path}/ledger.json"], ["a", "b"], 60)):
            code, out, err = await irsa("oidc", "export", *options, *more)
            assert (0, kids) == (code, json.loads(out)["kids"]), err
            assert FILES == json.loads(out)["written"], "the second time for its shorter life"
            found = [bucket.Object(path).get()["CacheControl"] for path in FILES]
            assert [f"public, max-age={max_age}, stale-if-error=86400"] * 2 == found


async def test_check_says_what_a_live_site_has_otherwise(tmp_path: Path) -> None:
    """Exit code 1 and a line for each difference; 0 where it is byte for byte the same."""
    async with running(trustme.CA(), tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        ca = f"--kube-ca-file={tmp_path}/upstream.pem"
        check = ["oidc", "export", f"--kube-api={upstream.url}", ca]
        async with started(f"--kube-api={upstream.url}", ca, *certificate_of(upstream.authority, tmp_path)) as server:
            await server.said("published")
            live = f"--check=https://localhost:{server.ports['documents']}"
            code, out, err = await irsa(*check, live, f"--check-ca-file={tmp_path}/upstream.pem")
            assert (0, True) == (code, "byte for byte" in out), err
            upstream.keys = [jwk("a"), jwk("b")]
            code, out, err = await irsa(*check, f"--check={upstream.url}", f"--check-ca-file={tmp_path}/upstream.pem")
            assert (1, True) == (code, "jwks_uri" in out), err


def certificate_of(authority: trustme.CA, folder: Path) -> tuple[str, str]:
    from tests.oidc.process import certificate

    return certificate(authority, folder)


@pytest.mark.parametrize(
    "discovery, keys, said",
    [
        pytest.param("a", "a", [], id="the same"),
        pytest.param("a", "ab", ["keys: b is there and should not be"], id="a key too many"),
        pytest.param("ab", "b", ["keys: a is missing; its tokens cannot be verified", "keys: b is there"], id="other"),
        pytest.param("<", "a", ["discovery: no discovery document"], id="a page"),
        pytest.param("a", "<", ["keys: no JWKS"], id="another page"),
        pytest.param(" a", "a", ["discovery: the bytes differ"], id="other bytes"),
        pytest.param("a", " a", ["keys: the bytes differ"], id="other bytes of keys"),
    ],
)
async def test_differences(discovery: str, keys: str, said: list[str]) -> None:
    """In words that name the kid or the field."""

    async def live(what: str, number: int) -> bytes:
        if what == "<":
            return b"<html>"
        body = (await artifacts(what.strip()))[number].body
        return b" " + body if what.startswith(" ") else body

    expected = (await published("a")).published
    assert expected is not None
    found = export.differences(expected, await live(discovery, 1), await live(keys, 0))
    assert len(said) == len(found), found
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))
