"""The chart beside another install of itself: it works on its own, survives an upgrade, and leaves as it came.

The tests share one release, in a namespace of its own, and run in the order of writing.
"""

import json
from collections.abc import Iterator

import pytest

from tests.chart.cluster import Release, everything, variables
from tests.cluster.cluster import Cluster
from tests.cluster.waiting import wait_until

NAMESPACE = "irsa-second"
PREFIX = "second.example.com"


@pytest.fixture(scope="module")
def second(cluster: Cluster, irsa_image: str) -> Iterator[Release]:
    """A release that shares the cluster with whatever else is there: its own annotations, its own discovery server."""
    url = f"https://irsa-oidc.{NAMESPACE}.svc"
    release = Release(
        cluster,
        irsa_image,
        NAMESPACE,
        provider={
            "Local": {"DiscoveryURL": f"{url}/.well-known/openid-configuration", "CABundle": "/etc/irsa/tls/ca.crt"}
        },
        values={
            "webhook.annotationPrefix": PREFIX,
            "oidc.publicUrl": url,
            "sts.s3.buckets": ["second"],
            "keys.enabled": True,
        },
    )
    cluster.kubectl("create", "namespace", NAMESPACE)
    # The API server refuses every pod here that is not restricted.
    cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    release.prepare_pods()
    yield release
    release.uninstall()
    cluster.kubectl("delete", "namespace", NAMESPACE, release.pods, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def before(second: Release) -> set[str]:
    """All that there was before the release, in its namespace and outside of any."""
    wait_until("the namespace is furnished", lambda: len(everything(second.cluster, NAMESPACE)) > 1)
    return everything(second.cluster, NAMESPACE)


def test_it_gives_pods_their_role_from_its_own_sts(before: set[str], second: Release, demo_image: str) -> None:
    second.install()
    assert before < everything(second.cluster, NAMESPACE)
    assert {
        "caller": "arn:aws:sts::111122223333:assumed-role/reader",
        "buckets": ["second"],
        "endpoint": f"https://irsa-sts.{NAMESPACE}.svc",
    } == {**(seen := second.buckets(demo_image, "buckets")), "caller": seen["caller"].rpartition("/")[0]}


def test_the_key_ledger_is_kept(second: Release) -> None:
    """By Deployment irsa-keys, with no more rights than the chart gives it."""
    client = second.cluster.client
    place = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    wait_until("the ledger is written", lambda: "irsa-keys" in str(client.get(place)), 60)
    (key,) = json.loads(second.cluster.kubectl("get", "--raw", "/openid/v1/jwks"))["keys"]
    assert key["kid"] in client.get(f"{place}/irsa-keys")["data"]["ledger.json"]
    assert "error" not in second.cluster.logs(NAMESPACE, "app.kubernetes.io/component=keys")


def test_an_upgrade_keeps_what_the_webhook_made(second: Release, demo_image: str) -> None:
    """Its certificates stay, so pods of before and after trust each other's servers; the new value comes into force."""
    place = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    names = ("irsa-ca", "irsa-webhook-ca", "irsa-oidc-tls", "irsa-sts-tls", "irsa-sts-session-key")
    made = {name: second.cluster.client.get(f"{place}/{name}")["data"] for name in names}
    second.install(webhook__region="eu-central-1", webhook__replicas=2)
    # The API server holds its connection to the pod that goes for as long as that one still answers.
    region = lambda: variables(second.admitted(demo_image))["AWS_REGION"]  # noqa: E731 -- asked again and again
    wait_until("the new region is injected", lambda: region() == "eu-central-1", 40)
    assert made == {name: second.cluster.client.get(f"{place}/{name}")["data"] for name in names}
    assert ["second"] == second.buckets(demo_image, "after-the-upgrade")["buckets"]


def test_uninstall_leaves_nothing(before: set[str], second: Release, demo_image: str) -> None:
    """Neither what helm made nor what was made at run time; and a pod starts as if there had never been a webhook."""
    second.uninstall()
    wait_until("all is gone", lambda: everything(second.cluster, NAMESPACE) <= before, 60)
    assert {} == variables(second.admitted(demo_image))
