"""`irsa oidc export` to a bucket behind our own STS and gateway, over TLS, as a pod does it: by its token alone."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.oidc.cluster import irsa
from tests.oidc.keys import jwk
from tests.oidc.process import certificate, launched
from tests.oidc.upstream import running
from tests.sts.world import ACCOUNT, Issuer, allow, statements, web_trust

FILES = ["openid/v1/jwks", ".well-known/openid-configuration"]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/publisher"


def accounts(issuer: str, jwks: Path) -> dict[str, Any]:
    """The role that README's runbook would have: exactly the prefix, and the list."""
    document = statements(
        allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::keys/export/*"),
        allow("s3:ListBucket", "arn:aws:s3:::keys"),
    )
    provider = {
        "Url": issuer,
        "ClientIDList": ["sts.amazonaws.com"],
        "ThumbprintList": [],
        "Local": {"JWKSFile": str(jwks)},
    }
    role = {
        "RoleName": "publisher", "AssumeRolePolicyDocument": web_trust(issuer),
        "RolePolicyList": [{"PolicyName": "publish", "PolicyDocument": document}],
    }  # fmt: skip
    return {"Accounts": [{"AccountId": ACCOUNT, "OpenIDConnectProviders": [provider], "RoleDetailList": [role]}]}


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("keys_bucket")
async def test_the_documents_go_to_the_bucket_and_stay_true(
    s3_upstream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys first; the same again writes nothing; a new key is a write on condition; beside the prefix nothing."""
    authority, pods = trustme.CA(), Issuer(url="https://pods.example.com")
    for name, content in (
        ("jwks.json", json.dumps({"keys": pods.keys})), ("token", pods.token()),
        ("accounts.json", json.dumps(accounts(pods.url, tmp_path / "jwks.json"))),
    ):  # fmt: skip
        (tmp_path / name).write_text(content)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    files = certificate(authority, tmp_path)
    async with running(authority, tmp_path) as upstream:
        upstream.keys = [jwk("a")]
        options = ["--port=0", f"--accounts={tmp_path}/accounts.json", f"--upstream=s3={s3_upstream}", *files]
        async with launched("sts", *options) as gateway:
            endpoint = f"https://localhost:{(await gateway.said('serving'))['port']}"
            variables = {
                "AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{tmp_path}/token", "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": endpoint, "AWS_CA_BUNDLE": f"{tmp_path}/ca.pem", "AWS_DEFAULT_REGION": "us-east-1",
            }  # fmt: skip
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                monkeypatch.delenv(name)
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            source = [f"--kube-api={upstream.url}", f"--kube-ca-file={tmp_path}/upstream.pem", "--output=json"]

            async def export(to: str) -> tuple[int, Any]:
                code, out, err = await irsa("oidc", "export", *source, f"--to={to}")
                return code, json.loads(out)["written"] if code == 0 else out + err

            assert (0, FILES) == await export("s3://keys/export")
            assert (0, []) == await export("s3://keys/export")
            upstream.keys = [jwk("a"), jwk("b")]
            assert (0, FILES[:1]) == await export("s3://keys/export")
            code, said = await export("s3://keys/elsewhere")
            assert (1, True) == (code, "AccessDenied" in said)
        puts = [entry for entry in gateway.log if entry.get("action") == "PutObject" and entry["message"] == "allowed"]
        assert [f"PUT /keys/export/{path}" for path in (*FILES, FILES[0])] == [entry["request"] for entry in puts]
