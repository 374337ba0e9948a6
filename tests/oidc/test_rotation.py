"""The rotation drill: the cluster's signing key is replaced while relying parties go on verifying, and none ever fails.

Once with keys in kube-apiserver's files, which it reads at its start, and once with an external signer (KEP-740).

Compressed: a token is used for some seconds here, where a cluster says a day; what the drill does is what the runbook
in docs/oidc.md says, step by step, with the same commands.
"""

import asyncio
import http.client
import json
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import boto3
import jwt
import pytest
import trustme
from botocore import UNSIGNED
from botocore.config import Config

from oidc.sources.ledger import LedgerFile
from tests.cluster import pki
from tests.cluster.apiserver import ApiServer, free_ports
from tests.cluster.client import ApiError
from tests.cluster.fixtures import FreshApiServer
from tests.oidc.cluster import NAMESPACE, install_rights, keeper_arguments, keys, mounted
from tests.oidc.process import Client, Process, certificate, client, launched, started, until
from tests.programs import go_program

ISSUER = "https://irsa-oidc.irsa-system.svc"
JWKS = "/openid/v1/jwks"
MAX_AGE, TOKEN_LIFE, SKEW = 3, 6, 1
TIMES = [f"--max-age={MAX_AGE}s", f"--max-token-lifetime={TOKEN_LIFE}s", f"--clock-skew={SKEW}s", "--poll=200ms"]
AUDIENCE = "sts.amazonaws.com"
ENOUGH = 20  # verifications with each key; how long they take is the machine's affair
AWAY = (OSError, http.client.HTTPException, ApiError)  # an API server that is being restarted, as its clients see it


class Cacher:
    """A relying party that keeps the JWKS for exactly as long as it may, and never asks earlier."""

    def __init__(self, answers: Client) -> None:
        self._answers, self._until = answers, 0.0
        self._keys: jwt.PyJWKSet | None = None

    async def verify(self, token: str) -> None:
        if time.monotonic() >= self._until:
            asked = time.monotonic()
            answer, body = await self._answers.get(JWKS)
            assert 200 == answer.status
            self._until = asked + int(answer.headers["Cache-Control"].partition("max-age=")[2].partition(",")[0])
            self._keys = jwt.PyJWKSet.from_json(body.decode())
        assert self._keys is not None
        key = self._keys[jwt.get_unverified_header(token)["kid"]]
        jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)


class Library:
    """PyJWT's own client, which asks again when it does not know a kid."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._client = jwt.PyJWKClient(f"https://localhost:{port}{JWKS}", lifespan=MAX_AGE, ssl_context=context)

    async def verify(self, token: str) -> None:
        key = await asyncio.to_thread(self._client.get_signing_key_from_jwt, token)
        jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)


class Sts:
    """`irsa sts`, asked for credentials by boto3."""

    def __init__(self, port: int, bundle: Path) -> None:
        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        self._sts = boto3.client(
            "sts",
            region_name="eu-central-1",
            endpoint_url=f"https://localhost:{port}",
            verify=str(bundle),
            config=config,
        )

    async def verify(self, token: str) -> None:
        answer = await asyncio.to_thread(
            self._sts.assume_role_with_web_identity,
            RoleArn="arn:aws:iam::111122223333:role/drill", RoleSessionName="drill", WebIdentityToken=token,
        )  # fmt: skip
        assert answer["Credentials"]["SessionToken"]


def accounts(port: int, bundle: Path) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/irsa-oidc.irsa-system.svc"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {"irsa-oidc.irsa-system.svc:aud": AUDIENCE}},
            }
        ],
    }
    discovery = f"https://localhost:{port}/.well-known/openid-configuration"
    provider = {
        "Url": ISSUER, "ClientIDList": [AUDIENCE], "ThumbprintList": [],
        "Local": {"CABundle": str(bundle), "DiscoveryURL": discovery},
    }  # fmt: skip
    role = {"RoleName": "drill", "Path": "/", "AssumeRolePolicyDocument": trust}
    account = {"AccountId": "111122223333", "OpenIDConnectProviders": [provider], "RoleDetailList": [role]}
    return json.dumps({"Accounts": [account]})


@dataclass
class Pods:
    """Pods that hold tokens for as long as these live, and use each of them all the time."""

    server: ApiServer
    namespace: str
    parties: list[Any]
    tokens: list[tuple[float, str]] = field(default_factory=list)
    verified: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    async def renew(self) -> None:
        """A token a second, as long as the API server gives one."""
        while True:
            try:
                token = await asyncio.to_thread(self.server.token, self.namespace, "default", AUDIENCE, 600)
                self.tokens.append((time.monotonic(), token))
            except AWAY:
                pass  # which is what pods see of a rotation
            await asyncio.sleep(1)

    async def use(self) -> None:
        """Ask every relying party, with every token that lives."""
        while True:
            self.tokens = [(made, token) for made, token in self.tokens if time.monotonic() - made < TOKEN_LIFE]
            for _, token in list(self.tokens):
                kid = jwt.get_unverified_header(token)["kid"]
                for party in self.parties:
                    await self._ask(party, kid, token)
            await asyncio.sleep(0.1)

    async def _ask(self, party: Any, kid: str, token: str) -> None:
        try:
            await party.verify(token)
            self.verified[kid] = self.verified.get(kid, 0) + 1
        except Exception as problem:  # noqa: BLE001 -- whatever it is, a verification failed
            self.failures.append(f"{type(party).__name__} {kid[:8]}: {problem!r}")

    def at_ease(self, keys: int) -> bool:
        """Whether tokens of so many keys were verified often enough to mean something."""
        return len(self.verified) == keys and min(self.verified.values()) > ENOUGH

    def kids(self) -> set[str]:
        return {jwt.get_unverified_header(token)["kid"] for _, token in self.tokens}


@asynccontextmanager
async def at_work(*endless: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    work = [asyncio.create_task(each) for each in endless]
    try:
        yield
    finally:
        ended = [task for task in work if task.done()]
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
    assert [] == ended, "what should go on for ever has ended"


async def kubelet(server: ApiServer, place: Path) -> None:
    """Renew the keeper's own token, by which it sees who signs."""
    while True:
        try:
            token = await asyncio.to_thread(server.token, NAMESPACE, "irsa-keys", server.issuer)
            await asyncio.to_thread(place.write_text, token)
        except AWAY:
            pass
        await asyncio.sleep(0.5)


async def published(answers: Client) -> set[str]:
    return {key["kid"] for key in json.loads((await answers.get(JWKS))[1])["keys"]}


class KeyFiles:
    """kube-apiserver's own key files: it has to be restarted for each change."""

    cached = 30  # seconds; our STS asks for an unknown kid this seldom at most; in earnest a key is ahead by hours

    def __init__(self, _folder: Path, _old: bytes, new: bytes) -> None:
        self.flags: dict[str, str | list[str]] = {"service-account-issuer": ISSUER}
        self.new = new

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def switch(self, server: ApiServer) -> None:
        """Sign with the new key, verify both."""
        server.stop()
        (server.folder / "sa-1.pub").write_bytes(pki.public_key(self.new))
        (server.folder / "sa-0.key").write_bytes(self.new)
        server.start()

    def remove(self, server: ApiServer) -> None:
        """Forget the old key."""
        server.stop()
        (server.folder / "sa-0.pub").unlink()
        server.start()


class Signer:
    """The example signer: nothing is restarted. Our STS is left to the other drill, so that this one is shorter."""

    cached = MAX_AGE

    def __init__(self, folder: Path, old: bytes, new: bytes) -> None:
        self.folder, self.old, self.new = folder / "signer", old, new
        self.folder.mkdir()
        (self.folder / "signing.key").write_bytes(old)
        self.socket = f"{self.folder}/socket"
        self.flags: dict[str, str | list[str]] = {
            "service-account-issuer": ISSUER,
            "service-account-signing-endpoint": self.socket,
            "service-account-signing-key-file": [],
            "service-account-key-file": [],
        }

    def __enter__(self) -> Self:
        program = go_program(Path(__file__).parents[2] / "examples/external-signer")
        self.process = subprocess.Popen([program, str(self.folder), self.socket], stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        assert b"serving" in self.process.stderr.readline()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def switch(self, _: ApiServer) -> None:
        """Sign with the new key, verify both."""
        (self.folder / "old.pub").write_bytes(pki.public_key(self.old))
        (self.folder / "new.key").write_bytes(self.new)
        (self.folder / "new.key").rename(self.folder / "signing.key")

    def remove(self, _: ApiServer) -> None:
        """Forget the old key."""
        (self.folder / "old.pub").unlink()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", [KeyFiles, Signer])
async def test_a_signing_key_is_rotated_and_no_verification_fails(
    way: type[KeyFiles | Signer], fresh_apiserver: FreshApiServer, tmp_path: Path
) -> None:
    """Stage, switch, outlive, remove: no relying party ever fails, and the old key goes when its time is over."""
    authority = trustme.CA()
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    old, new = pki.signing_key(), pki.signing_key()
    files = certificate(authority, tmp_path)
    with way(tmp_path, old, new) as keeping_keys, fresh_apiserver(keeping_keys.flags, [old]) as server:
        install_rights(server)
        place = tmp_path / "token"
        place.write_text(server.token(NAMESPACE, "irsa-keys", server.issuer))
        keeping = keeper_arguments(server, f"--kube-token-file={place}", f"--lead={way.cached}s", *TIMES)
        where = (f"--kube-api={server.url}", f"--kube-ca-file={server.folder}/ca.crt", f"--kube-token-file={place}")
        (port,) = free_ports(1)
        reached = (f"--port={port}", f"--public-url=https://localhost:{port}")  # no name service knows the issuer here
        async with (
            at_work(kubelet(server, place)),
            launched(*keeping) as keeper,
            mounted(server, tmp_path) as folder,
            started(*where, *TIMES, f"--ledger={folder}", "--pending-max-age=1s", *files, *reached) as ours,
            client(ours, authority) as answers,
        ):
            await ours.said("published")
            await keeper.said("key changed its state")
            (tmp_path / "accounts.json").write_text(accounts(port, tmp_path / "ca.pem"))
            async with launched("sts", "--port=0", f"--accounts={tmp_path}/accounts.json", *files) as sts:
                parties: list[Any] = [Cacher(answers), Library(port, context)]
                if way is KeyFiles:
                    parties.append(Sts(await listening(sts), tmp_path / "ca.pem"))
                pods = Pods(server, server.namespace(), parties)
                async with at_work(pods.renew(), pods.use()):
                    await drill(server, pods, answers, LedgerFile(folder), keeping_keys)
                assert [] == pods.failures


async def listening(sts: Process) -> int:
    return int((await sts.said("serving"))["port"])


async def drill(server: ApiServer, pods: Pods, answers: Client, ledger: LedgerFile, way: KeyFiles | Signer) -> None:
    """The runbook."""

    async def states() -> dict[str, str]:
        return {kid: str(entry.state) for kid, entry in (await ledger.read()).issuers[ISSUER].entries.items()}

    await until(lambda: true(pods.at_ease(1)))
    (first,) = pods.verified
    # 1. The next key is published ahead.
    public = server.folder / "next-public-key"  # not .pub: those are the API server's own
    public.write_bytes(pki.public_key(way.new))
    staged = await keys(server, "stage", public)
    second = staged["kid"]
    await until(lambda: true_of(states(), {first: "current", second: "next"}))
    await until(lambda: true_of(published(answers), {first, second}))
    seen = time.monotonic()
    answer, _ = await answers.get(JWKS)
    assert "max-age=1," in answer.headers["Cache-Control"]
    signs_from = datetime.fromisoformat(staged["signsFrom"])
    # On a busy machine the ledger's way to the server takes longer than any lead: count from where it arrived.
    await until(lambda: true(datetime.now(UTC) >= signs_from and time.monotonic() >= seen + way.cached))
    # 2. The API server signs with it, and verifies both.
    await asyncio.to_thread(way.switch, server)
    await until(lambda: true_of(states(), {first: "retiring", second: "current"}))
    # 3. The last token of the old key is over.
    await until(lambda: true(pods.kids() == {second} and pods.at_ease(2)))
    # 4. The old key is removed. Until this moment somebody could have signed a token with it, whoever knows of it.
    could_sign = time.time()
    await asyncio.to_thread(way.remove, server)
    # 5. It stays published until that token is over by every clock and the set out of every cache, and then it goes.
    await until(lambda: true_of(published(answers), {second}))
    assert time.time() >= could_sign + TOKEN_LIFE + SKEW + MAX_AGE
    await until(lambda: true_of(states(), {first: "gone", second: "current"}))


async def true(value: bool) -> bool:
    return value


async def true_of(value: Any, expected: object) -> bool:
    return bool(await value == expected)
