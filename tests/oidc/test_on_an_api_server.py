"""`irsa oidc` and `irsa keys` beside a real kube-apiserver, with the rights that the chart gives them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
import trustme

from oidc import jwks
from oidc.sources.files import KeyFiles
from tests.cluster import pki
from tests.cluster.apiserver import ApiServer
from tests.cluster.fixtures import FreshApiServer
from tests.oidc.cluster import NAMESPACE, install_rights, irsa, keeper_arguments, keys, mounted, states
from tests.oidc.keys import jwk, private_jwk, public_pem
from tests.oidc.process import Client, certificate, client, launched, started, until
from tests.oidc.test_sources import kubeconfig
from tests.oidc.upstream import Upstream, running

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

            async def young() -> bool:
                return await ours.sample('irsa_oidc_document_age_seconds{cluster=""}') <= 1

            await until(young)
            assert body == (await answers.get(JWKS))[1]
        assert token not in str(ours.log)


async def test_key_files_give_the_keys_that_the_api_server_publishes(
    fresh_apiserver: FreshApiServer, tmp_path: Path
) -> None:
    """Of every type, and of a certificate: kid, algorithm and members are its own, member by member."""
    (tmp_path / "certificate.crt").write_bytes(pki.Authority().server("localhost").certificate)
    for algorithm in ("ES256", "ES384", "ES512", "RS256"):
        (tmp_path / f"{algorithm}.pub").write_bytes(public_pem("x", algorithm))
    files = [tmp_path / name for name in ("certificate.crt", "ES256.pub", "ES384.pub", "ES512.pub", "RS256.pub")]
    flags = {"service-account-issuer": ISSUER, "service-account-key-file": [str(file) for file in files]}
    with fresh_apiserver(flags) as server:
        theirs = json.loads(server.client.raw("GET", JWKS)[1])["keys"]
    ours = json.loads(jwks.render((await KeyFiles(tuple(files), ISSUER).observe()).keys))["keys"]
    assert sorted(theirs, key=lambda key: str(key["kid"])) == ours
    assert len(files) == len(ours)


def verified(token: str, body: bytes) -> dict[str, str]:
    key = jwt.PyJWKSet.from_json(body.decode())[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, str] = jwt.decode(token, key, algorithms=["RS256"], audience="sts.amazonaws.com", issuer=ISSUER)
    return claims


@pytest.mark.timeout(300)
async def test_one_of_two_keepers_keeps_the_ledger(fresh_apiserver: FreshApiServer, tmp_path: Path) -> None:
    """With the chart's rights and no others; both are ready, one has the Lease, an Event tells, a Deployment owns."""
    with fresh_apiserver({"service-account-issuer": ISSUER}) as server:
        install_rights(server)
        token = tmp_path / "token"
        token.write_text(server.token(NAMESPACE, "irsa-keys", server.issuer))
        arguments = keeper_arguments(server, f"--kube-token-file={token}", "--poll=200ms")
        async with launched(*arguments) as one, launched(*arguments) as other:
            for each in (one, other):
                await each.said("listening")

            async def ready_and_led() -> bool:
                ready = [(await each.metrics("/readyz"))[0] for each in (one, other)]
                return ready == [200, 200] and 1 == sum(
                    [await each.sample("irsa_keys_leader") for each in (one, other)]
                )

            await until(ready_and_led)
            await until(lambda: has_events(server, "KeyCurrent"))
            assert ["current"] == list((await states(server)).values())
            kept = server.kubectl("get", "configmap", "irsa-keys", f"--namespace={NAMESPACE}", "--output=json")
            (owner,) = json.loads(kept)["metadata"]["ownerReferences"]
            assert ("Deployment", "irsa-keys") == (owner["kind"], owner["name"])


@pytest.mark.timeout(300)
async def test_keys_are_staged_dropped_and_refused_by_command(fresh_apiserver: FreshApiServer, tmp_path: Path) -> None:
    """Refused is exit code 1, not tried is 2, neither changes a thing; a server with the ledger publishes all else."""
    leaked, next_key = tmp_path / "leaked.pub", tmp_path / "next.pub"
    for each in (leaked, next_key):
        each.write_bytes(pki.public_key(pki.signing_key()))
    with fresh_apiserver({"service-account-issuer": ISSUER}) as server:
        install_rights(server)
        where = (f"--kubeconfig={server.kubeconfig}", f"--namespace={NAMESPACE}")
        code, _, err = await irsa("keys", "list", *where)
        assert (2, True) == (code, "keys.enabled=true" in err)
        token = tmp_path / "token"
        token.write_text(server.token(NAMESPACE, "irsa-keys", server.issuer))
        async with launched(*keeper_arguments(server, f"--kube-token-file={token}", "--poll=200ms")) as keeper:
            current = (await keeper.said("key changed its state"))["kid"]
            staged = await keys(server, "stage", next_key)
            assert ("next", True) == (staged["state"], staged["note"].startswith("may sign from "))
            dropped = (await keys(server, "stage", leaked))["kid"]
            assert "gone" == (await keys(server, "drop", dropped))["state"]
            known = {current: "current", staged["kid"]: "next", dropped: "gone"}
            nobody = f"--kubeconfig={server.user('nobody', 'system:authenticated')}"
            listed, drop, private, forbidden = await asyncio.gather(
                keys(server, "list"),
                irsa("keys", "drop", current, *where, "--output=json"),
                irsa("keys", "stage", "-", *where, stdin=pki.signing_key()),
                irsa("keys", "list", nobody, where[1], "--output=json"),
            )
            assert known == {row["kid"]: row["state"] for row in listed}
            assert (1, True) == (drop[0], "--force" in json.loads(drop[1])["refused"]), drop
            assert (1, True) == (private[0], "PRIVATE KEY" in private[2]), private
            assert (2, True) == (forbidden[0], "403" in json.loads(forbidden[1])["error"]), forbidden
            assert known == await states(server)
            options = (f"--kubeconfig={server.service_account(NAMESPACE, 'irsa-oidc')}", "--poll=100ms")
            async with (
                mounted(server, tmp_path) as folder,
                started(*options, f"--ledger={folder}") as ours,
                client(ours, None) as answers,
            ):
                await ours.said("published")
                await until(lambda: publishes(answers, {current, staged["kid"]}))


# gate -> what the source says that it holds back; its first answer was the key a
HELD_BACK: dict[str, dict[str, Any]] = {
    "empty": {"keys": []},
    "private": {"keys": [jwk("a"), private_jwk("b")]},
    "issuer": {"issuer": "https://other.example.com"},
    "disjoint": {"keys": [jwk("z")]},
    "conflict": {"keys": [jwk("a"), jwk("b", kid="a")]},
    "limit": {"keys": [jwk("a"), *(jwk("b", kid=f"k{number}") for number in range(100))]},
}


@pytest.mark.timeout(300)
async def test_what_a_gate_holds_back_is_told_in_an_event(fresh_apiserver: FreshApiServer, tmp_path: Path) -> None:
    """`kubectl describe configmap irsa-keys` names each gate; the ledger stays as it was, and goes on afterwards."""
    authority = trustme.CA()
    with fresh_apiserver() as server:
        install_rights(server)
        user = server.user(f"system:serviceaccount:{NAMESPACE}:irsa-keys", "system:authenticated")
        async with running(authority, tmp_path) as blue, running(authority, tmp_path) as green:
            say(blue)
            green.status = 500
            options = [f"--ledger-kubeconfig={user}", f"--namespace={NAMESPACE}", "--poll=100ms"]
            for name, upstream in (("blue", blue), ("green", green)):
                (tmp_path / name).write_text(
                    kubeconfig(upstream.url, "certificate-authority: upstream.pem", "token: t")
                )
                options.append(f"--cluster={name}={tmp_path}/{name}")
            async with launched("keys", "run", *options) as keeper:
                await until(lambda: keeps(server, "a"))
                for gate, change in HELD_BACK.items():
                    say(blue, **change)
                    await until(lambda gate=gate: has_events(server, "KeysRefused", message=f"{gate}: "))
                    assert await keeps(server, "a"), gate
                    say(blue)
                await keeper.said("ledger kept again", cluster="blue")
                say(green)
                green.status = 200
                await until(lambda: has_events(server, "KeysRefused", message="shared: "))
                say(blue, keys=[jwk("a"), jwk("b")])
                await until(lambda: keeps(server, "ab"))


async def keeps(server: ApiServer, names: str) -> bool:
    return dict.fromkeys(names, "current") == await states(server)


def say(upstream: Upstream, keys: Any = None, issuer: str = "https://oidc.example.com") -> None:
    upstream.keys, upstream.issuer = [jwk("a")] if keys is None else keys, issuer


async def has_events(server: ApiServer, reason: str, message: str = "") -> bool:
    """Whether there is an Event on the ledger with that reason, whose message begins so."""
    status, body = await asyncio.to_thread(server.client.raw, "GET", f"/api/v1/namespaces/{NAMESPACE}/events")
    assert 200 == status
    return any(
        each["reason"] == reason and each["message"].startswith(message)
        for each in json.loads(body)["items"]
        if each["involvedObject"]["name"] == "irsa-keys"
    )


async def publishes(answers: Client, kids: set[str]) -> bool:
    return kids == await published(answers)


async def published(answers: Client) -> set[str]:
    return {key["kid"] for key in json.loads((await answers.get(JWKS))[1])["keys"]}
