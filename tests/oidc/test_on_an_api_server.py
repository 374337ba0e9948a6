"""`irsa oidc` and `irsa keys` beside a real kube-apiserver, with the rights that the chart gives them."""

import asyncio
import json
from pathlib import Path

import jwt
import pytest
import trustme

from tests.cluster import pki
from tests.cluster.fixtures import FreshApiServer
from tests.oidc.cluster import NAMESPACE, install_rights, irsa, keeper_arguments, keys, mounted, states
from tests.oidc.process import Client, certificate, client, launched, started

ISSUER = "https://irsa-oidc.irsa-system.svc"
DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/openid/v1/jwks"


async def test_its_tokens_verify_with_what_we_publish(fresh_apiserver: FreshApiServer, tmp_path: Path) -> None:
    """By PyJWT; jwks_uri is rewritten though the API server's is another, and restarts of it are not noticed."""
    authority = trustme.CA()
    keys_of_both_kinds = [pki.signing_key(), pki.signing_key()]
    with fresh_apiserver({"service-account-issuer": ISSUER}, keys_of_both_kinds) as server:
        namespace = server.namespace()
        theirs = json.loads(server.client.raw("GET", DISCOVERY)[1])
        upstream = json.loads(server.client.raw("GET", JWKS)[1])
        token = server.token(namespace, "default", "sts.amazonaws.com", 600)
        account = server.service_account(
            namespace, "default"
        )  # any ServiceAccount may read them, and no more is needed
        options = (f"--kubeconfig={account}", "--poll=100ms", *certificate(authority, tmp_path))
        async with started(*options) as ours, client(ours, authority) as answers:
            await ours.said("published")
            found = json.loads((await answers.get(DISCOVERY))[1])
            assert theirs["issuer"] == found["issuer"] == ISSUER
            assert f"{ISSUER}/openid/v1/jwks" == found["jwks_uri"] != theirs["jwks_uri"]
            for field in theirs.keys() - {"jwks_uri"}:
                assert theirs[field] == found[field], field
            body = (await answers.get(JWKS))[1]
            assert sorted(upstream["keys"], key=lambda key: key["kid"]) == json.loads(body)["keys"]
            assert "default" in verified(token, body)["sub"]
            server.stop()
            await ours.said("not published; the last good documents stay")
            assert body == (await answers.get(JWKS))[1]
            assert 200 == (await ours.metrics("/readyz"))[0]
            server.start()
            async with asyncio.timeout(20):
                while await ours.sample('irsa_oidc_document_age_seconds{cluster=""}') > 1:
                    await asyncio.sleep(0.1)
            assert body == (await answers.get(JWKS))[1]
        assert token not in str(ours.log)


def verified(token: str, jwks: bytes) -> dict[str, str]:
    key = jwt.PyJWKSet.from_json(jwks.decode())[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, str] = jwt.decode(token, key, algorithms=["RS256"], audience="sts.amazonaws.com", issuer=ISSUER)
    return claims


@pytest.mark.timeout(300)  # a dozen processes one after the other: half a minute, minutes on a busy machine
async def test_the_ledger_and_its_commands(fresh_apiserver: FreshApiServer, tmp_path: Path) -> None:
    """Kept with the chart's rights by one of two keepers; staged, refused, dropped; told in Events; owned."""
    leaked, next_key = pki.public_key(pki.signing_key()), pki.public_key(pki.signing_key())
    with fresh_apiserver({"service-account-issuer": ISSUER}) as server:
        install_rights(server)
        code, _, err = await irsa("keys", "list", f"--kubeconfig={server.kubeconfig}", f"--namespace={NAMESPACE}")
        assert (1, True) == (code, "keys.enabled=true" in err)
        token = tmp_path / "token"
        token.write_text(server.token(NAMESPACE, "irsa-keys", server.issuer))
        arguments = keeper_arguments(server, f"--kube-token-file={token}", "--poll=200ms", "--max-age=60s")
        async with launched(*arguments) as one, launched(*arguments) as other:
            for each in (one, other):
                await each.said("listening")
            said = await asyncio.wait(
                [asyncio.create_task(each.said("key changed its state")) for each in (one, other)],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in said[1]:
                task.cancel()
            async with asyncio.timeout(20):
                while {200} != {(await each.metrics("/readyz"))[0] for each in (one, other)}:
                    await asyncio.sleep(0.1)
            assert 1 == sum([await each.sample("irsa_keys_leader") for each in (one, other)])
            ((current, state),) = (await states(server)).items()
            assert "current" == state

            staged = await keys(server, "stage", "-", stdin=next_key)
            assert ("next", True) == (staged["state"], staged["note"].startswith("may sign from "))
            dropped = (await keys(server, "stage", "-", stdin=leaked))["kid"]
            assert "gone" == (await keys(server, "drop", dropped))["state"]
            assert {current: "current", staged["kid"]: "next", dropped: "gone"} == await states(server)

            where = (f"--kubeconfig={server.kubeconfig}", f"--namespace={NAMESPACE}", "--output=json")
            for command in (("retire", current), ("drop", current), ("retire", "nobody")):
                code, out, err = await irsa("keys", *command, *where)
                assert 1 == code, (command, out, err)
                assert json.loads(out)["refused"]
            code, out, err = await irsa("keys", "stage", "-", *where, stdin=pki.signing_key())
            assert (1, True) == (code, "PRIVATE KEY" in out)
            assert 3 == len(await states(server))

            async with mounted(server, tmp_path) as folder:
                options = (f"--kubeconfig={server.service_account(NAMESPACE, 'irsa-oidc')}", f"--ledger={folder}")
                async with started(*options, "--poll=100ms") as ours, client(ours, None) as answers:
                    await ours.said("published")
                    async with asyncio.timeout(20):
                        while {current, staged["kid"]} != await published(answers):
                            await asyncio.sleep(0.1)

            events = server.kubectl("get", "events", f"--namespace={NAMESPACE}", "--output=jsonpath={.items[*].reason}")
            assert "KeyCurrent" in events
            (owner,) = json.loads(
                server.kubectl("get", "configmap", "irsa-keys", f"--namespace={NAMESPACE}", "--output=json")
            )["metadata"]["ownerReferences"]
            assert ("Deployment", "irsa-keys") == (owner["kind"], owner["name"])


async def published(answers: Client) -> set[str]:
    return {key["kid"] for key in json.loads((await answers.get(JWKS))[1])["keys"]}
