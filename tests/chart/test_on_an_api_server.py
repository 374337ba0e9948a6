"""Helm against a real API server: all is taken, upgrades leave alone what is not the chart's, uninstall is complete.

There are no controllers here, so nothing waits and no pod starts; the cluster tests do that.
"""

import base64
import json
from collections.abc import Iterator

import pytest

from tests.chart.helm import Install, Object, install, render, run
from tests.chart.matrix import EVERYTHING
from tests.cluster.apiserver import ApiServer

pytestmark = pytest.mark.apiserver

# Without the kinds of other projects, which this API server does not know.
WHOLE = {**EVERYTHING, "keys.enabled": True, "serviceMonitor.enabled": False}
BUNDLE = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()


class Releases:
    """Installs and uninstalls, and looks at what is there."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.kinds = sorted(server.kubectl("api-resources", "--verbs=list,delete", "--output=name").split())

    def helm(self, command: str, what: Install, *more: str) -> str:
        arguments = what.arguments() if command != "uninstall" else ["irsa", "--namespace", what.namespace]
        done = run(command, *arguments, *more, kubeconfig=self._server.kubeconfig)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def there(self, selector: str = "app.kubernetes.io/name=irsa") -> list[str]:
        """`kind/name` of everything that carries our label, in all namespaces."""
        listing = self._server.kubectl(
            "get", ",".join(self.kinds), "--all-namespaces", f"--selector={selector}", "--output=name"
        )
        return sorted(listing.split())

    def configuration(self, name: str) -> Object:
        found: Object = json.loads(self._server.kubectl("get", "mutatingwebhookconfiguration", name, "--output=json"))
        return found


@pytest.fixture
def releases(apiserver: ApiServer) -> Iterator[Releases]:
    for namespace in ("irsa-system", "team-a"):
        apiserver.namespace(namespace)
    them = Releases(apiserver)
    yield them
    for namespace in ("irsa-system", "team-a"):
        run("uninstall", "irsa", "--namespace", namespace, "--ignore-not-found", kubeconfig=apiserver.kubeconfig)


def test_an_api_server_takes_all_of_it_and_uninstall_leaves_nothing(releases: Releases) -> None:
    what = install(WHOLE, local=True)
    assert [] == releases.there()
    releases.helm("install", what)
    assert len(render(what).objects) == len(releases.there())
    releases.helm("uninstall", what)
    assert [] == releases.there()


def test_an_upgrade_keeps_the_ca_bundle_that_the_webhook_wrote(apiserver: ApiServer, releases: Releases) -> None:
    """Helm owns the configuration but not that field; an upgrade that took it would switch injection off."""
    releases.helm("install", install())
    patch = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": BUNDLE}]
    apiserver.kubectl(
        "patch", "mutatingwebhookconfiguration", "irsa-webhook", "--type=json", f"--patch={json.dumps(patch)}"
    )
    releases.helm("upgrade", install({"webhook.timeoutSeconds": 5, "webhook.replicas": 3}))
    (webhook,) = releases.configuration("irsa-webhook")["webhooks"]
    assert (BUNDLE, 5) == (webhook["clientConfig"]["caBundle"], webhook["timeoutSeconds"])


def test_two_installs_live_side_by_side(releases: Releases) -> None:
    """The one that goes takes nothing of the one that stays."""
    first, second = install(local=True), install(namespace="team-a", local=True)
    releases.helm("install", first)
    alone = releases.there()
    releases.helm("install", second)
    assert 2 * len(alone) == len(releases.there())
    releases.helm("uninstall", second)
    assert alone == releases.there()


CONFIGURATIONS = "admissionregistration.k8s.io/mutatingwebhookconfigurations"
# account, verb, [group/]resource[/subresource], name, namespace ("" is all of them), may it?
RIGHTS = [
    ("irsa-webhook", "watch", "serviceaccounts", "", "", True),
    ("irsa-webhook", "get", "serviceaccounts", "reader", "default", True),
    ("irsa-webhook", "update", "serviceaccounts", "reader", "default", False),
    ("irsa-webhook", "get", "secrets", "irsa-ca", "irsa-system", True),
    ("irsa-webhook", "update", "secrets", "irsa-oidc-tls", "irsa-system", True),
    ("irsa-webhook", "create", "secrets", "", "irsa-system", True),
    ("irsa-webhook", "get", "secrets", "irsa-sts-accounts", "irsa-system", False),
    ("irsa-webhook", "list", "secrets", "", "irsa-system", False),
    ("irsa-webhook", "get", "secrets", "irsa-ca", "default", False),
    ("irsa-webhook", "create", "secrets", "", "default", False),
    ("irsa-webhook", "patch", CONFIGURATIONS, "irsa-webhook", "", True),
    ("irsa-webhook", "patch", CONFIGURATIONS, "another", "", False),
    ("irsa-webhook", "delete", CONFIGURATIONS, "irsa-webhook", "", False),
    ("irsa-webhook", "list", "pods", "", "", False),
    ("irsa-oidc", "get", "secrets", "irsa-oidc-tls", "irsa-system", False),
    ("irsa-oidc", "list", "serviceaccounts", "", "", False),
    ("irsa-sts", "get", "secrets", "irsa-sts-accounts", "irsa-system", False),
    ("irsa-sts", "get", "serviceaccounts", "reader", "default", False),
]


def test_the_authorizer_reads_the_rights_as_we_meant_them(apiserver: ApiServer, releases: Releases) -> None:
    releases.helm("install", install(local=True))
    assert RIGHTS == [(*row[:5], may(apiserver, *row[:5])) for row in RIGHTS]


def may(apiserver: ApiServer, account: str, verb: str, resource: str, *where: str) -> bool:
    """The API server's own answer."""
    name, namespace = where
    group, _, plural = resource.rpartition("/")
    wanted = {"verb": verb, "group": group, "resource": plural, "name": name, "namespace": namespace}
    user = f"system:serviceaccount:irsa-system:{account}"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": wanted},
    }
    answer = apiserver.client.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])
