"""A kind cluster with kind's own settings, whose issuer is the API server's and not ours to publish."""

import pytest

from tests.chart.cluster import Release
from tests.cluster import images
from tests.cluster.cluster import Cluster

API_SERVER = {
    "Local": {
        "DiscoveryURL": "https://kubernetes.default.svc/.well-known/openid-configuration",
        "CABundle": "/etc/irsa/cluster/ca.crt",
        "TokenFile": "/etc/irsa/cluster/token",
    }
}


@pytest.mark.timeout(400)
def test_the_sts_reads_the_api_servers_own_documents(cluster_default: Cluster) -> None:
    """The provider's Local block points there; the token for it is mounted by sts.clusterToken."""
    release = Release(
        cluster_default,
        images.in_cluster(cluster_default, images.LOCAL),
        "irsa-system",
        provider=API_SERVER,
        values={"sts.clusterToken": True},
    )
    demo = images.in_cluster(cluster_default, images.DEMO)
    assert "https://kubernetes.default.svc.cluster.local" == cluster_default.issuer
    cluster_default.kubectl("delete", "namespace", release.pods, "--ignore-not-found", "--wait")
    release.prepare_pods()
    try:
        release.install()
        assert ["productionapp", "reports"] == release.buckets(demo, "buckets")["buckets"]
    finally:
        release.uninstall()
