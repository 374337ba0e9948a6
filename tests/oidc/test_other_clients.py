"""Relying parties that we did not write, in two other languages, verify a real ServiceAccount token against us."""

import asyncio
import subprocess
from pathlib import Path

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from tests.cluster import pki
from tests.cluster.fixtures import FreshApiServer
from tests.oidc.process import certificate, started
from tests.programs import go_program, node_modules

HERE = Path(__file__).parent / "clients"
ISSUER = "https://irsa-oidc.irsa-system.svc"
AUDIENCE = "sts.amazonaws.com"


async def answers(command: list[str], tokens: list[str]) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate("\n".join(tokens).encode())
    assert 0 == process.returncode, err.decode() + out.decode()
    return out.decode().splitlines()


@pytest.mark.parametrize("language", ["go", "node"])
async def test_a_real_token_is_verified_and_a_foreign_one_refused(
    language: str, fresh_apiserver: FreshApiServer, tmp_path: Path
) -> None:
    """By their own discovery, caching and checks; a token of another key or audience is not theirs."""
    program = go_program(HERE) if language == "go" else node_modules(HERE)
    authority = trustme.CA()
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    old = pki.signing_key()
    with fresh_apiserver({"service-account-issuer": ISSUER}, [old, pki.signing_key()]) as server:
        namespace = server.namespace()
        account = server.service_account(namespace, "default")
        token = server.token(namespace, "default", AUDIENCE, 600)
        foreign = forged(token)
        files = certificate(authority, tmp_path, "irsa-oidc.irsa-system.svc")
        async with started(f"--kubeconfig={account}", *files) as ours:
            await ours.said("published")
            port = str(ours.ports["documents"])
            ca = str(tmp_path / "ca.pem")
            command = {
                "go": [str(program), ISSUER, f"127.0.0.1:{port}", ca, AUDIENCE],
                "node": ["node", str(HERE / "verify.mjs"), str(program), ISSUER, port, ca, AUDIENCE],
            }[language]
            other = server.token(namespace, "default", "another-audience", 600)
            good = [token] * 5
            told = await answers(command, [*good, foreign, other])
            fetched = await ours.sample('irsa_oidc_requests_total{code="200",document="jwks"}')
    assert [f"ok system:serviceaccount:{namespace}:default"] * len(good) == told[: len(good)]
    assert [True, True] == [each.startswith("refused:") for each in told[len(good) :]]
    assert 1 <= fetched <= 2, "they keep the keys, and may look once more where a signature is wrong"


def forged(token: str) -> str:
    """The same claims and the same kid, signed by another key."""
    key = serialization.load_pem_private_key(pki.signing_key(), None)
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})  # type: ignore[arg-type]
