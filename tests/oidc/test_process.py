"""`irsa oidc` as it runs: what it answers, and that it goes on when its source does not."""

import json
import re
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import trustme

from tests.oidc.keys import jwk, public_pem
from tests.oidc.process import Client, certificate, client, started
from tests.oidc.upstream import ISSUER, Upstream, running

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/openid/v1/jwks"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


def source(upstream: Upstream, folder: Path, poll: str = "20ms") -> list[str]:
    return [f"--kube-api={upstream.url}", f"--kube-ca-file={folder}/upstream.pem", f"--poll={poll}"]


async def kids(answers: Client) -> list[str]:
    return [key["kid"] for key in json.loads((await answers.get(JWKS))[1])["keys"]]


async def test_the_documents_are_the_sources_with_jwks_uri_made_ours(authority: trustme.CA, tmp_path: Path) -> None:
    """The issuer is untouched, jwks_uri is below it, and all is in canonical order; the bytes are the contract."""
    async with running(authority, tmp_path) as upstream:
        upstream.keys = [jwk("b", unknown="member"), jwk("a", "RS256")]
        options = source(upstream, tmp_path)
        async with started(*options, *certificate(authority, tmp_path)) as server, client(server, authority) as answers:
            await server.said("published")
            answer, body = await answers.get(DISCOVERY)
            assert 200 == answer.status
            assert "application/json" == answer.headers["Content-Type"]
            assert (
                b'{"authorization_endpoint":"urn:kubernetes:programmatic_authorization","claims_supported":["sub","iss"],'
                b'"id_token_signing_alg_values_supported":["ES256","RS256"],"issuer":"https://oidc.example.com",'
                b'"jwks_uri":"https://oidc.example.com/openid/v1/jwks","response_types_supported":["id_token"],'
                b'"subject_types_supported":["public"]}'
            ) == body
            answer, body = await answers.get(JWKS)
            assert "application/jwk-set+json" == answer.headers["Content-Type"]
            keys = [jwk("a", "RS256"), jwk("b")]
            assert json.dumps({"keys": keys}, sort_keys=True, separators=(",", ":")).encode() == body


async def test_every_answer_lets_caches_work(authority: trustme.CA, tmp_path: Path) -> None:
    """A strong ETag, a date, a lifetime; 304 to who has it already; HEAD is GET without a body."""
    async with running(authority, tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        options = [*source(upstream, tmp_path), "--max-age=10m", *certificate(authority, tmp_path)]
        async with started(*options) as server, client(server, authority) as answers:
            await server.said("published")
            for path in (DISCOVERY, JWKS):
                answer, body = await answers.get(path)
                assert re.fullmatch('"[0-9a-f]{64}"', answer.headers["ETag"])
                assert "public, max-age=600, stale-if-error=86400" == answer.headers["Cache-Control"]
                assert parsedate_to_datetime(answer.headers["Last-Modified"])
                assert "nosniff" == answer.headers["X-Content-Type-Options"]
                assert "max-age=31536000" == answer.headers["Strict-Transport-Security"]
                assert "Server" not in answer.headers
                head, nothing = await answers.get(path, "HEAD")
                assert (200, b"") == (head.status, nothing)
                assert str(len(body)) == head.headers["Content-Length"]
                same, nothing = await answers.get(path, If_None_Match=answer.headers["ETag"])
                assert (304, b"") == (same.status, nothing)
                assert answer.headers["ETag"] == same.headers["ETag"]
                assert answer.headers["Cache-Control"] == same.headers["Cache-Control"]


async def test_not_ready_before_there_is_a_document_and_ready_for_ever_after(
    authority: trustme.CA, tmp_path: Path
) -> None:
    """Readiness is "has a document"; that the source is away afterwards does not matter, and the age tells."""
    async with running(authority, tmp_path) as upstream:
        upstream.keys, upstream.status = [jwk("a")], 403
        async with started(*source(upstream, tmp_path)) as server, client(server, None) as answers:
            said = await server.said("nothing to publish yet")
            assert "system:service-account-issuer-discovery" in said["reason"]
            assert 503 == (await server.metrics("/readyz"))[0]
            assert 200 == (await server.metrics("/livez"))[0]
            assert 503 == (await answers.get(JWKS))[0].status
            upstream.status = 200
            await server.said("published")
            assert 200 == (await server.metrics("/readyz"))[0]
            upstream.status = 500
            await server.said("not published; the last good documents stay")
            assert 200 == (await server.metrics("/readyz"))[0]
            assert ["a"] == await kids(answers)
            assert 0 < await server.sample('irsa_oidc_document_age_seconds{cluster=""}')


async def test_a_key_that_the_source_adds_is_published(authority: trustme.CA, tmp_path: Path) -> None:
    """The new document has a new ETag, so a cache that revalidates gets it."""
    async with running(authority, tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        async with started(*source(upstream, tmp_path)) as server, client(server, None) as answers:
            await server.said("published")
            before, _ = await answers.get(JWKS)
            upstream.keys = [jwk("a"), jwk("b")]
            await server.said("published", count=2)
            after, _ = await answers.get(JWKS, If_None_Match=before.headers["ETag"])
            assert 200 == after.status
            assert before.headers["ETag"] != after.headers["ETag"]
            assert ["a", "b"] == await kids(answers)


async def test_several_api_servers_are_united(authority: trustme.CA, tmp_path: Path) -> None:
    """As they are while they are restarted one by one; one that is away takes none of its keys with it."""
    async with running(authority, tmp_path) as first, running(authority, tmp_path) as second:
        first.keys, second.keys = [jwk("a"), jwk("b")], [jwk("b"), jwk("c")]
        options = [*source(first, tmp_path), f"--kube-api={second.url}"]
        async with started(*options) as server, client(server, None) as answers:
            await server.said("published")
            assert ["a", "b", "c"] == await kids(answers)
            second.status = 500
            said = await server.said("source with a problem")
            assert second.url in said["reason"]
            assert ["a", "b", "c"] == await kids(answers)
            first.keys = [jwk("a"), jwk("b"), jwk("d")]
            await server.said("published", count=2)
            assert ["a", "b", "c", "d"] == await kids(answers)


async def test_the_token_is_read_again_as_it_rotates(authority: trustme.CA, tmp_path: Path) -> None:
    """Kubelet renews the file; the next poll uses it."""
    (tmp_path / "token").write_text("first\n")
    async with running(authority, tmp_path) as upstream:
        upstream.keys, upstream.token = [jwk("a")], "second"
        async with started(*source(upstream, tmp_path), f"--kube-token-file={tmp_path}/token") as server:
            await server.said("nothing to publish yet")
            (tmp_path / "token").write_text("second\n")
            await server.said("published")
            assert "Bearer first" in upstream.seen_tokens
            assert not any("first" in str(entry) or "second" in str(entry) for entry in server.log)


async def test_a_mounted_secret_is_followed_as_kubelet_changes_it(tmp_path: Path) -> None:
    """A Secret of public keys, without any right on Secrets: kubelet turns one link, and the new set is published."""
    volume = tmp_path / "keys"

    def mount(revision: str, *names: str) -> None:
        (volume / revision).mkdir(parents=True)
        for name in names:
            (volume / revision / f"{name}.pub").write_bytes(public_pem(name))
        (volume / "..data_tmp").symlink_to(revision)
        (volume / "..data_tmp").rename(volume / "..data")
        for name in names:
            if not (volume / f"{name}.pub").is_symlink():
                (volume / f"{name}.pub").symlink_to(f"..data/{name}.pub")

    mount("..2026_01", "old")
    options = (f"--key-file={volume}", f"--issuer={ISSUER}", "--poll=20ms")
    async with started(*options) as server, client(server, None) as answers:
        await server.said("published")
        (before,) = await kids(answers)
        mount("..2026_02", "old", "new")
        await server.said("published", count=2)
        after = await kids(answers)
        assert before in after
        assert 2 == len(after)


async def test_the_servers_process_never_imports_kopf_or_kubernetes(authority: trustme.CA, tmp_path: Path) -> None:
    """They would cost it 50 MiB; the real process, told to list its imports, shows none of them."""
    async with running(authority, tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        async with started(*source(upstream, tmp_path), python=("-X", "importtime")) as server:
            await server.said("published")
            imported = {line.rsplit("|", 1)[1].strip() for line in server.other if line.startswith("import time:")}
            assert "oidc.serve" in imported
            assert not {name for name in imported if name.split(".")[0] in {"cryptography", "yaml", "boto3"}}
            assert not {name for name in imported if name.split(".")[0] in {"kopf", "kubernetes", "webhook", "sts"}}


async def test_the_server_stays_within_its_memory(authority: trustme.CA, tmp_path: Path) -> None:
    """At most 50 MiB resident after it has served."""
    async with running(authority, tmp_path) as upstream:
        upstream.keys = [jwk(name, "RS256") for name in "abc"]
        options = [*source(upstream, tmp_path), *certificate(authority, tmp_path)]
        async with started(*options) as server, client(server, authority) as answers:
            await server.said("published")
            for _ in range(300):
                await answers.get(JWKS)
            assert resident_kib(server.process.pid) <= 50 * 1024


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


async def test_public_url_moves_the_jwks_only(authority: trustme.CA, tmp_path: Path) -> None:
    """An issuer that is answered elsewhere keeps its name."""
    async with running(authority, tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        options = [*source(upstream, tmp_path), "--public-url=https://cdn.example.net/keys/"]
        async with started(*options) as server, client(server, None) as answers:
            await server.said("published")
            found = json.loads((await answers.get(DISCOVERY))[1])
            assert (ISSUER, "https://cdn.example.net/keys/openid/v1/jwks") == (found["issuer"], found["jwks_uri"])
