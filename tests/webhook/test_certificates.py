"""Certificates against a real API server: made, published, exchanged, lost and found again."""

import asyncio
import base64
import contextlib
import http.client
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from irsa.runtime.health import Readiness
from irsa.runtime.tls import ServingCertificate
from tests.cluster import pki
from tests.cluster.apiserver import ApiServer
from tests.webhook.process import ARN, CONFIGURATIONS, Mount, Site, Webhook, eventually, shown, trusts
from webhook.bundle import objection
from webhook.endpoint import Endpoint, fresh
from webhook.kube import Api, ApiError, from_kubeconfig
from webhook.listener import Listener
from webhook.routes import Reply
from webhook.secrets import Secrets


@pytest.fixture(scope="module")
def site(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A namespace of this module's own."""
    made = Site(apiserver, tmp_path_factory.mktemp("certificates"))
    made.account("app")
    return made


@pytest.fixture(scope="module")
def webhook(site: Site) -> Iterator[Webhook]:
    """A webhook that serves the site."""
    with site.webhook() as running:
        site.register(running.port)
        running.wait_ready()
        yield running


def test_ready_means_that_the_api_server_trusts_us(site: Site, webhook: Webhook) -> None:
    """A pod made the moment after gets its role, over a certificate that the live caBundle verifies."""
    assert ARN == site.role("app")
    assert trusts(site.bundle, webhook.port)


def test_nothing_of_the_leaf_is_on_a_disk_or_in_a_secret(site: Site, webhook: Webhook) -> None:
    """The Secret holds the authority alone."""
    secret = site.api.client.get(f"/api/v1/namespaces/{site.namespace}/secrets/irsa-webhook-ca")
    assert {"tls.crt", "tls.key", "since"} == set(secret["data"])
    assert shown(webhook.port) != base64.b64decode(secret["data"]["tls.crt"])


def test_an_overwritten_bundle_is_put_right(site: Site, webhook: Webhook) -> None:
    """Somebody writes another CA, or none: within a round ours is back and pods get their role again."""
    stranger = pki.Authority().certificate
    for value in (base64.b64encode(stranger).decode(), ""):
        operation = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": value}]
        site.api.client.patch(f"{CONFIGURATIONS}/{site.name}", operation, "application/json-patch+json")
        eventually(lambda: trusts(site.bundle, webhook.port), "caBundle corrected", explain=webhook.tail)
        eventually(lambda: site.role("app") == ARN, "role", explain=webhook.tail)


def test_a_deleted_secret_comes_back_and_no_pod_is_missed(site: Site, webhook: Webhook) -> None:
    """It is made again from what the process remembers, so neither caBundle nor leaf has to change."""
    before, leaf = site.bundle, shown(webhook.port)
    path = f"/api/v1/namespaces/{site.namespace}/secrets/irsa-webhook-ca"
    old = site.api.client.get(path)
    site.api.client.delete(path)
    made = [site.role("app") for _ in range(20)]
    eventually(lambda: site.api.client.raw("GET", path)[0] == 200, "Secret", explain=webhook.tail)
    assert [ARN] * 20 == made
    assert old["data"] == site.api.client.get(path)["data"]
    assert (before, leaf) == (site.bundle, shown(webhook.port))


def test_a_second_replica_shares_the_authority_and_not_the_leaf(site: Site, webhook: Webhook) -> None:
    """Both are trusted by the one caBundle, and neither writes against the other."""
    with site.webhook() as second:
        second.wait_ready()
        assert shown(second.port) != shown(webhook.port)
        version = site.api.client.get(f"{CONFIGURATIONS}/{site.name}")["metadata"]["resourceVersion"]
        time.sleep(6)  # a round of each
        assert version == site.api.client.get(f"{CONFIGURATIONS}/{site.name}")["metadata"]["resourceVersion"]
        assert trusts(site.bundle, second.port)


def test_an_unusable_secret_is_replaced(site: Site, webhook: Webhook) -> None:
    """Junk in the Secret is made good from memory."""
    path = f"/api/v1/namespaces/{site.namespace}/secrets/irsa-webhook-ca"
    site.api.client.patch(path, {"data": {"tls.crt": base64.b64encode(b"junk").decode()}})
    eventually(lambda: site.api.client.get(path)["data"]["tls.crt"] != "anVuaw==", "Secret", explain=webhook.tail)
    eventually(lambda: trusts(site.bundle, webhook.port), "trusted", explain=webhook.tail)
    assert ARN == site.role("app")


def test_with_files_the_live_bundle_decides_whether_we_are_ready(apiserver: ApiServer, tmp_path: Path) -> None:
    """Not ready while the API server would refuse what we serve; ready, and exchanged in place, when it would not."""
    site = Site(apiserver, tmp_path)
    site.account("app")
    authority, other = pki.Authority(), pki.Authority()
    for name, content in (("tls.crt", other.server("localhost")), ("tls.key", None)):
        (tmp_path / name).write_bytes(content.certificate if content else b"")
    pair = other.server("localhost")
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    (tmp_path / "tls.key").write_bytes(pair.key)
    files = ("--in-cluster=false", f"--tls-cert={tmp_path}/tls.crt", f"--tls-key={tmp_path}/tls.key")
    with site.webhook(*files) as webhook:
        site.register(webhook.port)
        bundle = base64.b64encode(authority.certificate).decode()
        operation = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]
        site.api.client.patch(f"{CONFIGURATIONS}/{site.name}", operation, "application/json-patch+json")
        eventually(lambda: "does not trust what we serve" in webhook.get("/readyz")[1], "reason", explain=webhook.tail)
        assert "" == site.role("app")
        pair = authority.server("localhost")
        (tmp_path / "tls.crt").write_bytes(pair.certificate)
        (tmp_path / "tls.key").write_bytes(pair.key)
        webhook.wait_ready()
        assert ARN == site.role("app")
        assert authority.certificate == site.bundle


def test_another_issuer_takes_over_as_cert_manager_does_it(apiserver: ApiServer, tmp_path: Path) -> None:
    """First caBundle has a new CA, a moment later the mounted Secret: in between we say that we are not ready, and why.

    The files are exchanged by symlinks, open connections go on, and the bundle is never ours to write.
    """
    site = Site(apiserver, tmp_path)
    site.account("app")
    mount = Mount(tmp_path / "tls")
    mount.folder.mkdir()

    def issue(authority: pki.Authority) -> None:
        pair = authority.server("localhost")
        mount.write(**{"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate})

    def inject(authority: pki.Authority) -> None:
        bundle = base64.b64encode(authority.certificate).decode()
        operation = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]
        site.api.client.patch(f"{CONFIGURATIONS}/{site.name}", operation, "application/json-patch+json")

    old, new = pki.Authority(), pki.Authority()
    issue(old)
    files = ("--in-cluster=false", f"--tls-cert={mount.folder}/tls.crt", f"--tls-key={mount.folder}/tls.key")
    with site.webhook(*files) as webhook:
        site.register(webhook.port)
        inject(old)
        webhook.wait_ready()
        assert ARN == site.role("app")
        context = ssl.create_default_context(cadata=old.certificate.decode())
        kept = http.client.HTTPSConnection("localhost", webhook.port, timeout=10, context=context)
        with contextlib.closing(kept):
            kept.request("GET", "/livez")
            assert b"ok\n" == kept.getresponse().read()
            inject(new)
            eventually(lambda: "does not trust what we serve" in webhook.get("/readyz")[1], "why", explain=webhook.tail)
            issue(new)
            webhook.wait_ready()
            assert trusts(new.certificate, webhook.port)
            kept.request("GET", "/livez")
            assert b"ok\n" == kept.getresponse().read()
        assert ARN == site.role("app")
        assert new.certificate == site.bundle
        secrets = apiserver.client.get(f"/api/v1/namespaces/{site.namespace}/secrets")["items"]
        assert [] == [each["metadata"]["name"] for each in secrets if each["metadata"]["name"] == "irsa-webhook-ca"]


async def test_two_years_of_rotation_in_which_every_handshake_succeeds(apiserver: ApiServer, tmp_path: Path) -> None:
    """Round after round with a clock that runs, and once steps back: what caBundle says trusts what is shown."""
    site = Site(apiserver, tmp_path)
    readiness, serving = Readiness(), ServingCertificate()
    seen: set[bytes] = set()
    leaves: set[bytes] = set()
    stop = threading.Event()
    refused: list[str] = []

    async with Api(from_kubeconfig(apiserver.kubeconfig)) as api:
        secrets = Secrets(api, site.namespace)
        endpoint = Endpoint(
            api, secrets, serving, readiness, names=("localhost",), secret="ca", configuration=site.name
        )
        async with Listener(lambda _: Reply(200, b""), readiness).listen(0, serving.context, "127.0.0.1") as port:
            site.register(port)
            now = datetime.now(UTC)
            await endpoint.round(now)

            def shake() -> None:
                while not stop.is_set():
                    bundle, chain = site.bundle, shown(port)
                    if not _trusted(bundle, chain) and bundle == site.bundle:  # else weeks went by in between
                        refused.append(bundle.decode())
                    time.sleep(0.02)

            watching = asyncio.create_task(asyncio.to_thread(shake))
            for day in [*range(0, 760, 4), 500, 760, 761]:
                for hour in (0, 2):
                    await endpoint.round(now + timedelta(days=day, hours=hour))
                    assert readiness.ready, readiness.explanation()
                    seen.add(site.bundle)
                    leaves.add(serving.chain)
            stop.set()
            await watching
    assert [] == refused
    assert len(seen) >= 6  # one, two, two, one, two, two …
    assert len(leaves) > 50


def test_an_authority_that_is_over_is_replaced_at_the_start(apiserver: ApiServer, tmp_path: Path) -> None:
    """A cluster that was switched off for two years: what its Secret holds can sign nothing any more."""
    site = Site(apiserver, tmp_path)
    site.account("app")
    old = fresh(datetime.now(UTC) - timedelta(days=730))
    data = {key: base64.b64encode(value).decode() for key, value in old.items()}
    secret = {"metadata": {"name": "irsa-webhook-ca"}, "type": "kubernetes.io/tls", "data": data}
    site.api.client.create(f"/api/v1/namespaces/{site.namespace}/secrets", secret)
    with site.webhook() as webhook:
        site.register(webhook.port)
        webhook.wait_ready()
        assert ARN == site.role("app")
    assert old["tls.crt"] not in site.bundle


async def test_a_leaf_is_renewed_without_the_secret(apiserver: ApiServer, tmp_path: Path) -> None:
    """Whoever takes our right to read it away must not find us expired a week later."""
    site = Site(apiserver, tmp_path)
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{site.namespace}"
    user = f"keeper-{site.namespace}"
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update"]}
    apiserver.client.create(f"{rights}/roles", {"metadata": {"name": "keeper"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "keeper"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "keeper"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    apiserver.client.create(f"{rights}/rolebindings", binding)
    serving, now = ServingCertificate(), datetime.now(UTC)
    async with Api(from_kubeconfig(apiserver.user(user))) as api:
        secrets = Secrets(api, site.namespace)
        endpoint = Endpoint(api, secrets, serving, Readiness(), names=("localhost",), secret="ca", configuration="")
        for _ in range(100):  # RBAC takes a moment
            with contextlib.suppress(ApiError):
                await endpoint.round(now)
                break
            await asyncio.sleep(0.1)
        first = serving.chain
        assert first
        apiserver.client.delete(f"{rights}/rolebindings/keeper")
        while await allowed(api, site.namespace):
            await asyncio.sleep(0.1)
        for day, renewed in ((1, False), (5, True)):
            with pytest.raises(ApiError, match="403"):
                await endpoint.round(now + timedelta(days=day))
            assert renewed == (first != serving.chain)


async def allowed(api: Api, namespace: str) -> bool:
    """Whether the Secret may be read."""
    try:
        await api.raw("GET", f"/api/v1/namespaces/{namespace}/secrets/ca")
    except ApiError:
        return False
    return True


def _trusted(bundle: bytes, chain: bytes) -> bool:
    # The leaves of this test lie in the future: they are looked at when each of them begins.
    client = {"url": "https://localhost:1", "caBundle": base64.b64encode(bundle).decode()}
    begin = x509.load_pem_x509_certificate(chain).not_valid_before_utc + timedelta(hours=1)
    return not objection({"webhooks": [{"clientConfig": client}]}, chain, begin)
