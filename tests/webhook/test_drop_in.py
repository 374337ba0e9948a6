"""The command lines, rights and registration that installs of the Go webhook have, with our process in its place.

From its own manifests, its community chart and kOps; only addresses and files are those of the test.
"""

import base64
import contextlib
import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import pki
from tests.cluster.apiserver import ApiServer
from tests.webhook.process import ARN, CONFIGURATIONS, Site, Webhook, eventually, started

NAME = "pod-identity-webhook"
COMMANDS = {
    "its own manifests": [
        "--in-cluster=false",
        "--namespace=default",
        f"--service-name={NAME}",
        "--annotation-prefix=eks.amazonaws.com",
        "--token-audience=sts.amazonaws.com",
        "--logtostderr",
    ],
    "the community chart": [
        "--in-cluster=false",
        "--annotation-prefix=eks.amazonaws.com",
        "--token-audience=sts.amazonaws.com",
        "--sts-regional-endpoint=true",
        "--aws-default-region=us-east-1",
        "--logtostderr",
    ],
    "kOps": [
        "--in-cluster=false",
        "--namespace=kube-system",
        f"--service-name={NAME}",
        "--annotation-prefix=eks.amazonaws.com",
        "--token-audience=amazonaws.com",
        "--watch-config-map=true",
        "--logtostderr",
        "-v=5",
    ],
}
RULES = [
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "list", "watch"]},
    {
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["certificatesigningrequests"],
        "verbs": ["create", "get", "list", "watch"],
    },
]
OF_KOPS = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]


@pytest.fixture
def site(apiserver: ApiServer, tmp_path: Path) -> Site:
    """A namespace of the test's own, with an annotated ServiceAccount."""
    made = Site(apiserver, tmp_path)
    made.account("app")
    return made


def with_rights(site: Site, rules: list[dict[str, list[str]]]) -> Path:
    """A kubeconfig of a ServiceAccount that has these rights in the whole cluster."""
    site.account(NAME, {})
    group = "rbac.authorization.k8s.io"
    site.api.client.create(f"/apis/{group}/v1/clusterroles", {"metadata": {"name": site.name}, "rules": rules})
    binding = {
        "metadata": {"name": site.name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": site.name},
        "subjects": [{"kind": "ServiceAccount", "namespace": site.namespace, "name": NAME}],
    }
    site.api.client.create(f"/apis/{group}/v1/clusterrolebindings", binding)
    return site.api.service_account(site.namespace, NAME)


def register(site: Site, port: int, bundle: bytes) -> None:
    """As its manifests do: by v1beta1 reviews, without a time-out of its own, pods with its label left out."""
    label = {"key": f"eks.amazonaws.com/skip-{NAME}", "operator": "DoesNotExist", "values": []}
    webhook = {
        "name": f"{NAME}.amazonaws.com",
        "failurePolicy": "Ignore",
        "clientConfig": {"url": f"https://localhost:{port}/mutate", "caBundle": base64.b64encode(bundle).decode()},
        "objectSelector": {"matchExpressions": [label]},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": site.namespace}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1beta1"],
    }
    site.api.client.create(CONFIGURATIONS, {"metadata": {"name": site.name}, "webhooks": [webhook]})


@contextlib.contextmanager
def in_its_place(site: Site, install: str) -> Iterator[tuple[Webhook, bytes]]:
    """Our process as that install starts it, and the authority of its certificate."""
    authority = pki.Authority()
    pair = authority.server("localhost")
    (site.folder / "tls.crt").write_bytes(pair.certificate)
    (site.folder / "tls.key").write_bytes(pair.key)
    kubeconfig = with_rights(site, RULES + (OF_KOPS if install == "kOps" else []))
    files = (f"--tls-cert={site.folder}/tls.crt", f"--tls-key={site.folder}/tls.key", "--lame-duck=0s")
    with started(kubeconfig, site.folder, *COMMANDS[install], *files) as running:
        yield running, authority.certificate


@pytest.mark.parametrize("install", COMMANDS)
def test_an_install_goes_on_with_our_process(site: Site, install: str) -> None:
    """Ready with the rights that it has, its probe answered, its pods given their role, and nothing to complain of."""
    with in_its_place(site, install) as (webhook, authority):
        webhook.wait_ready()
        register(site, webhook.port, authority)
        eventually(lambda: site.role("app") == ARN, "role", explain=webhook.tail)
        context = ssl.create_default_context(cadata=authority.decode())
        probe = http.client.HTTPSConnection("localhost", webhook.port, timeout=10, context=context)
        with contextlib.closing(probe):
            probe.request("GET", "/healthz")
            assert 200 == probe.getresponse().status
        skipped = {"generateName": "app-", "labels": {f"eks.amazonaws.com/skip-{NAME}": "true"}}
        spec = {"serviceAccountName": "app", "containers": [{"name": "app", "image": "example/app"}]}
        path = f"/api/v1/namespaces/{site.namespace}/pods?dryRun=All"
        made = site.api.client.create(path, {"metadata": skipped, "spec": spec})
        assert "env" not in made["spec"]["containers"][0]
        assert 0 == webhook.terminate()
    assert [] == [entry for entry in webhook.entries() if entry["level"] == "error"]
