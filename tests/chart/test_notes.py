"""What a person reads after `helm install`: the next real step, and a plain word where it cannot work yet."""

import pytest

from tests.chart.helm import Install, install, notes
from tests.chart.matrix import GATEWAY, INGRESS

BACKEND = {"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS"}
TOLD = {**INGRESS, "oidc.tls.source": "own", "oidc.ingress.annotations": BACKEND}

# id: (install, words that must be there, words that must not)
TABLE = {
    "an issuer that AWS cannot reach": (
        install(),
        ["NOT YET WORKING", "--service-account-issuer", "--set oidc.publicUrl=https://oidc.example.com"],
        ["create-open-id-connect-provider", "LOCAL AWS"],
    ),
    "behind an ingress": (
        install(INGRESS),
        [
            "create-open-id-connect-provider --url https://oidc.example.com/blue --client-id-list sts.amazonaws.com",
            "curl https://oidc.example.com/blue/.well-known/openid-configuration",
        ],
        ["NOT YET WORKING", "is up to you", "WARNING"],
    ),
    "behind a gateway": (install(GATEWAY), ["create-open-id-connect-provider"], ["NOT YET WORKING", "WARNING"]),
    "TLS behind an ingress that was not told": (
        install({**INGRESS, "oidc.tls.source": "own"}),
        ["WARNING: irsa-oidc speaks TLS", "backend-protocol: HTTPS"],
        ["BackendTLSPolicy"],
    ),
    "TLS behind an ingress that was told": (install(TOLD), ["create-open-id-connect-provider"], ["WARNING"]),
    "TLS behind a gateway": (install({**GATEWAY, "oidc.tls.source": "own"}), ["BackendTLSPolicy"], []),
    "behind something of one's own": (
        install({"oidc.publicUrl": "https://oidc.example.com"}),
        ["must lead to the Service irsa-oidc", "create-open-id-connect-provider"],
        ["NOT YET WORKING"],
    ),
    "plain HTTP with nothing before it": (
        install({"oidc.tls.source": "none"}),
        ["WARNING: oidc serves plain HTTP"],
        [],
    ),
    "the local AWS": (
        install(local=True),
        [
            "https://irsa-sts.irsa-system.svc",
            "eks.amazonaws.com/role-arn=arn:aws:iam::ACCOUNT:role/ROLE",
            "in memory",
            "kubectl -n irsa-system logs deployment/irsa-sts",
        ],
        ["REAL AWS", "NOT YET WORKING"],
    ),
    "another prefix": (
        install({"webhook.annotationPrefix": "aws.example.com"}),
        ["aws.example.com/role-arn="],
        ["eks."],
    ),
    "an image of no registry": (install(), ["localhost/irsa:0.1.0 comes from no registry"], []),
    "an image of a registry": (install({"image.registry": "registry.example.com"}), [], ["comes from no registry"]),
    "a strict webhook": (
        install({"webhook.failurePolicy": "Fail"}),
        ["no pod can be created outside irsa-system, kube-system, kube-node-lease"],
        [],
    ),
    "a second install": (install(namespace="team-a"), ["both webhooks see every pod"], []),
}


@pytest.mark.parametrize("what, there, not_there", TABLE.values(), ids=TABLE)
def test_notes(what: Install, there: list[str], not_there: list[str]) -> None:
    text = notes(what)
    assert [] == [words for words in there if words not in text]
    assert [] == [words for words in not_there if words in text]
