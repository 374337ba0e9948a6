"""What the values decide, as tables: the admission rule, the flags, the doors, the image."""

import base64
from typing import Any

import pytest
import yaml

from tests.chart.helm import Install, Object, Rendering, install, render
from tests.chart.matrix import CERT_MANAGER, EVERYTHING, GATEWAY, INGRESS, OWN_SECRETS, PEM


def webhook_of(what: Install) -> Object:
    (configuration,) = render(what).kind("MutatingWebhookConfiguration")
    (webhook,) = configuration["webhooks"]
    return webhook


def flags(rendering: Rendering, component: str) -> dict[str, str]:
    """Flags of a component by name; those that come several times are joined by a blank."""
    found: dict[str, str] = {}
    for argument in rendering.container(component)["args"][1:]:
        name, _, value = argument.partition("=")
        found[name] = f"{found[name]} {value}" if name in found else value
    return found


def test_the_admission_rule_by_default() -> None:
    """Pods when they are made, in every namespace but our own and the control plane's, and never in the way of one."""
    assert {
        "name": "irsa-webhook.irsa-system.svc",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {"name": "irsa-webhook", "namespace": "irsa-system", "path": "/mutate", "port": 443}
        },
        "failurePolicy": "Ignore",
        "matchPolicy": "Equivalent",
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": 3,
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }
        ],
        "namespaceSelector": {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": ["irsa-system", "kube-system", "kube-node-lease"],
                }
            ]
        },
        "objectSelector": {
            "matchExpressions": [{"key": "eks.amazonaws.com/skip-pod-identity-webhook", "operator": "DoesNotExist"}]
        },
    } == webhook_of(install())


# id: (values, namespace, path in the webhook, what stands there)
SELECTION: dict[str, tuple[dict[str, Any], str, str, Any]] = {
    "the own namespace is left out wherever it is": (
        {"webhook.excludedNamespaces": []},
        "team-a",
        "namespaceSelector.matchExpressions.0.values",
        ["team-a"],
    ),
    "a namespace is named once": (
        {"webhook.excludedNamespaces": ["kube-system", "irsa-system"]},
        "irsa-system",
        "namespaceSelector.matchExpressions.0.values",
        ["irsa-system", "kube-system"],
    ),
    "labels of namespaces": (
        {"webhook.namespaceSelector": {"matchLabels": {"irsa": "on"}}},
        "irsa-system",
        "namespaceSelector.matchLabels",
        {"irsa": "on"},
    ),
    "expressions are added, none is replaced": (
        {"webhook.objectSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
        "irsa-system",
        "objectSelector.matchExpressions",
        [
            {"key": "eks.amazonaws.com/skip-pod-identity-webhook", "operator": "DoesNotExist"},
            {"key": "app", "operator": "Exists"},
        ],
    ),
    "strict": ({"webhook.failurePolicy": "Fail"}, "irsa-system", "failurePolicy", "Fail"),
    "conditions": (
        {"webhook.matchConditions": [{"name": "a", "expression": "true"}]},
        "irsa-system",
        "matchConditions",
        [{"name": "a", "expression": "true"}],
    ),
    "a CA of one's own": (OWN_SECRETS, "irsa-system", "clientConfig.caBundle", base64.b64encode(PEM.encode()).decode()),
}


@pytest.mark.parametrize("values, namespace, path, expected", SELECTION.values(), ids=SELECTION)
def test_selection(values: dict[str, Any], namespace: str, path: str, expected: object) -> None:
    found: Any = webhook_of(install(values, namespace=namespace))
    for step in path.split("."):
        found = found[int(step) if step.isdigit() else step]
    assert expected == found


def test_only_a_ca_that_the_user_gave_is_in_the_configuration() -> None:
    """Ours and cert-manager's are written by those who know it; an upgrade must not take it away."""
    assert "caBundle" not in webhook_of(install())["clientConfig"]
    assert "caBundle" not in webhook_of(install(CERT_MANAGER))["clientConfig"]
    (configuration,) = render(install(CERT_MANAGER, namespace="team-a")).kind("MutatingWebhookConfiguration")
    assert {"cert-manager.io/inject-ca-from": "team-a/irsa-webhook-tls"} == configuration["metadata"]["annotations"]


def test_against_real_aws_no_endpoint_and_no_ca_are_injected() -> None:
    given = flags(render(), "webhook")
    assert (
        not {"--sts-endpoint-url", "--s3-endpoint-url", "--aws-ca-bundle-file", "--session-key-secret"} & given.keys()
    )


@pytest.mark.parametrize("namespace", ["irsa-system", "team-a"])
def test_the_local_aws_is_given_for_sts_and_s3_together(namespace: str) -> None:
    given = flags(render(install(namespace=namespace, local=True)), "webhook")
    url = f"https://irsa-sts.{namespace}.svc"
    assert (url, url) == (given["--sts-endpoint-url"], given["--s3-endpoint-url"])
    assert "irsa-sts-session-key" == given["--session-key-secret"]


def test_certificates_have_every_name_of_their_service() -> None:
    """The STS's also those of virtual-hosted buckets, at every name that DNS answers from another namespace."""
    values = {"clusterDomain": "c.example", "oidc.tls.dnsNames": ["oidc.example.com"]}
    oidc, sts = flags(render(install(values, local=True)), "webhook")["--serving-secret"].split(" ")
    assert [
        "irsa-oidc-tls=irsa-oidc",
        "irsa-oidc.irsa-system",
        "irsa-oidc.irsa-system.svc",
        "irsa-oidc.irsa-system.svc.c.example",
        "oidc.example.com",
    ] == oidc.split(",")
    assert [
        "irsa-sts-tls=irsa-sts",
        "irsa-sts.irsa-system",
        "irsa-sts.irsa-system.svc",
        "irsa-sts.irsa-system.svc.c.example",
        "*.irsa-sts.irsa-system",
        "*.irsa-sts.irsa-system.svc",
        "*.irsa-sts.irsa-system.svc.c.example",
    ] == sts.split(",")


def secret_volumes(rendering: Rendering, component: str) -> dict[str, str]:
    return {
        each["name"]: each["secret"]["secretName"]
        for each in rendering.pod(component).get("volumes", [])
        if "secret" in each
    }


# id: (values, Secrets that webhook, oidc and sts mount)
CERTIFICATES = {
    "own": ({}, {}, {"tls": "irsa-oidc-tls"}, {"tls": "irsa-sts-tls"}),
    "own Secrets": (
        OWN_SECRETS,
        {"tls": "my-webhook-tls", "sts-ca": "my-sts-tls"},
        {"tls": "my-oidc-tls"},
        {"tls": "my-sts-tls"},
    ),
    "cert-manager": (
        CERT_MANAGER,
        {"tls": "irsa-webhook-tls", "sts-ca": "irsa-sts-tls"},
        {"tls": "irsa-oidc-tls"},
        {"tls": "irsa-sts-tls"},
    ),
    "plain HTTP behind an ingress": (INGRESS, {}, {}, {"tls": "irsa-sts-tls"}),
}


@pytest.mark.parametrize("values, webhook, oidc, sts", CERTIFICATES.values(), ids=CERTIFICATES)
def test_whose_certificates(
    values: dict[str, Any], webhook: dict[str, str], oidc: dict[str, str], sts: dict[str, str]
) -> None:
    rendering = render(install(values, local=True))
    others = {"accounts": "irsa-sts-accounts", "session-key": "irsa-sts-session-key"}
    assert webhook == secret_volumes(rendering, "webhook")
    assert oidc == secret_volumes(rendering, "oidc")
    assert {**sts, **others} == secret_volumes(rendering, "sts")


@pytest.mark.parametrize("values", [OWN_SECRETS, CERT_MANAGER], ids=["own Secrets", "cert-manager"])
def test_the_webhook_sees_the_ca_of_a_foreign_certificate_but_not_its_key(values: dict[str, Any]) -> None:
    rendering = render(install(values, local=True))
    (volume,) = [each for each in rendering.pod("webhook")["volumes"] if each["name"] == "sts-ca"]
    assert [{"key": "ca.crt", "path": "ca.crt"}] == volume["secret"]["items"]
    given = flags(rendering, "webhook")
    assert "/etc/irsa/sts-ca/ca.crt" == given["--aws-ca-bundle-file"]
    assert "" == given["--ca-secret"], "empty: no CA that nobody needs and that its rights do not cover"
    assert not {"--serving-secret", "--webhook-ca-secret"} & given.keys()


def test_cert_manager_makes_one_certificate_each() -> None:
    rendering = render(install(CERT_MANAGER, local=True))
    assert ["Certificate/irsa-oidc-tls", "Certificate/irsa-sts-tls", "Certificate/irsa-webhook-tls"] == [
        name for name in rendering.names() if name.startswith("Certificate/")
    ]
    for each in rendering.kind("Certificate"):
        assert each["metadata"]["name"] == each["spec"]["secretName"]
        assert rendering.one("Issuer", each["spec"]["issuerRef"]["name"])["spec"] == {"selfSigned": {}}


def test_a_named_issuer_is_used_as_it_is() -> None:
    issuer = {"kind": "ClusterIssuer", "name": "corporate"}
    rendering = render(
        install({**CERT_MANAGER, "oidc.tls.issuerRef": issuer, "webhook.certificates.issuerRef": issuer})
    )
    assert [issuer, issuer] == [each["spec"]["issuerRef"] for each in rendering.kind("Certificate")]
    assert [] == rendering.kind("Issuer")


PATHS = ["/.well-known/openid-configuration", "/openid/v1/jwks"]


def test_an_ingress_opens_the_two_documents_and_nothing_else() -> None:
    rendering = render(install(INGRESS))
    ingress = rendering.one("Ingress", "irsa-oidc")["spec"]
    (rule,) = ingress["rules"]
    assert ("oidc.example.com", "public") == (rule["host"], ingress["ingressClassName"])
    assert [("Exact", f"/blue{path}") for path in PATHS] == [
        (each["pathType"], each["path"]) for each in rule["http"]["paths"]
    ]
    assert {"name": "irsa-oidc", "port": {"name": "http"}} == rule["http"]["paths"][0]["backend"]["service"]
    assert [("http", 80), ("metrics", 9999)] == [
        (each["name"], each["port"]) for each in rendering.one("Service", "irsa-oidc")["spec"]["ports"]
    ]
    assert "https://oidc.example.com/blue" == flags(rendering, "oidc")["--public-url"]
    assert "--tls-cert" not in flags(rendering, "oidc")


def test_a_route_opens_the_two_documents_and_nothing_else() -> None:
    route = render(install(GATEWAY)).one("HTTPRoute", "irsa-oidc")["spec"]
    assert ["oidc.example.com"] == route["hostnames"]
    (rule,) = route["rules"]
    assert [{"path": {"type": "Exact", "value": path}} for path in PATHS] == rule["matches"]
    assert [{"name": "irsa-oidc", "port": 80}] == rule["backendRefs"]


def test_the_s3_server_listens_where_only_its_pod_reaches_it() -> None:
    """A Service, or another address, would be an S3 without any check for every pod of the cluster."""
    rendering = render(install(local=True))
    (s3,) = [each for each in rendering.pod("sts")["containers"] if each["name"] == "s3"]
    assert ["--host=127.0.0.1", "--port=5000"] == s3["args"]
    assert "ports" not in s3
    assert "s3=http://127.0.0.1:5000" == flags(rendering, "sts")["--upstream"]
    assert {443, 9999} == {port["port"] for each in rendering.kind("Service") for port in each["spec"]["ports"]}


def test_an_s3_server_of_ones_own_stands_in_its_place() -> None:
    values = {"sts.s3.enabled": False, "sts.upstreams.s3": "http://minio.minio.svc:9000"}
    rendering = render(install(values, local=True))
    assert ["sts"] == [each["name"] for each in rendering.pod("sts")["containers"]]
    assert "s3=http://minio.minio.svc:9000" == flags(rendering, "sts")["--upstream"]


def test_accounts_given_as_values_are_the_account_file() -> None:
    accounts = [{"AccountId": "111122223333", "RoleDetailList": []}]
    rendering = render(install({"sts.accounts": accounts}, local=True))
    secret = rendering.one("Secret", "irsa-sts-accounts")
    assert {"Accounts": accounts} == yaml.safe_load(secret["stringData"]["accounts.yaml"])


def test_an_account_file_comes_through_as_it_is_written() -> None:
    """Comments, indentation and a closing newline included: an error message's line must be the user's own."""
    text = "# ours\nAccounts:\n  - AccountId: '111122223333'   # quoted\n    Policies: []\n"
    rendering = render(install({"sts.accountsFile": text}, local=True))
    assert text == rendering.one("Secret", "irsa-sts-accounts")["stringData"]["accounts.yaml"]


def test_an_account_file_of_the_users_own_secret_is_mounted_and_not_copied() -> None:
    rendering = render(install({"sts.accountsSecret": "mine"}, local=True))
    assert [] == rendering.kind("Secret")
    assert "mine" == secret_volumes(rendering, "sts")["accounts"]


IMAGES = {
    "default": ({}, "localhost/irsa:0.1.0"),
    "tag": ({"image.tag": "dev"}, "localhost/irsa:dev"),
    "registry and path": (
        {"image.registry": "registry.example.com:5000", "image.repository": "a/irsa"},
        "registry.example.com:5000/a/irsa:0.1.0",
    ),
    "no registry": ({"image.registry": ""}, "irsa:0.1.0"),
    "the digest wins": (
        {"image.digest": f"sha256:{'ab' * 32}", "image.tag": "dev"},
        f"localhost/irsa@sha256:{'ab' * 32}",
    ),
}


@pytest.mark.parametrize("values, image", IMAGES.values(), ids=IMAGES)
def test_image(values: dict[str, Any], image: str) -> None:
    """All containers have the same one: there is nothing else to pull, and nothing to mirror but this."""
    rendering = render(
        install({"keys.enabled": True, **values}, local=True) if "image.tag" in values else install(values)
    )
    images = {
        each["image"]
        for spec in rendering.kind("Deployment")
        for each in spec["spec"]["template"]["spec"]["containers"]
    }
    assert {image} == images


def test_high_availability_by_default() -> None:
    """Two replicas, spread over nodes and zones, never both gone, the new one ready before the old one stops."""
    rendering = render()
    for component in ("webhook", "oidc"):
        spec = rendering.one("Deployment", f"irsa-{component}")["spec"]
        assert 2 == spec["replicas"]
        assert {"maxUnavailable": 0, "maxSurge": 1} == spec["strategy"]["rollingUpdate"]
        pod = spec["template"]["spec"]
        assert "system-cluster-critical" == pod["priorityClassName"]
        assert ["kubernetes.io/hostname", "topology.kubernetes.io/zone"] == [
            each["topologyKey"] for each in pod["topologySpreadConstraints"]
        ]
        assert 1 == rendering.one("PodDisruptionBudget", f"irsa-{component}")["spec"]["maxUnavailable"]


def test_what_the_user_adds_arrives() -> None:
    rendering = render(install(EVERYTHING, local=True))
    deployment = rendering.one("Deployment", "irsa-webhook")
    template = deployment["spec"]["template"]
    container = rendering.container("webhook")
    assert {"e": "f"} == deployment["metadata"]["annotations"]
    assert "b" == template["metadata"]["annotations"]["a"]
    assert "d" == template["metadata"]["labels"]["c"]
    assert {"g": "h"} == rendering.one("ServiceAccount", "irsa-webhook")["metadata"]["annotations"]
    assert "--compose-role-arn=true" == container["args"][-1]
    assert [{"name": "TZ", "value": "UTC"}] == container["env"]
    assert {"name": "more", "mountPath": "/more"} in container["volumeMounts"]
    assert {"name": "more", "emptyDir": {}} in template["spec"]["volumes"]
    assert [{"operator": "Exists"}] == template["spec"]["tolerations"]
    assert {"kubernetes.io/os": "linux"} == template["spec"]["nodeSelector"]
    assert [{"name": "registry"}] == template["spec"]["imagePullSecrets"]
    assert all("platform" == each["metadata"]["labels"]["team"] for each in rendering)


def test_policies_let_in_what_is_served() -> None:
    """The API server has no address that could be selected, so the served port is open to all; metrics are not."""
    peers = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    rendering = render(install({**EVERYTHING, "keys.enabled": True, "networkPolicy.metricsFrom": peers}, local=True))
    ingress = {each["metadata"]["name"]: each["spec"]["ingress"] for each in rendering.kind("NetworkPolicy")}
    metrics = {"ports": [{"port": 9999, "protocol": "TCP"}], "from": peers}
    served = {"ports": [{"port": 8443, "protocol": "TCP"}]}
    assert {
        "irsa-webhook": [served, metrics],
        "irsa-oidc": [served, metrics],
        "irsa-sts": [served, metrics],
        "irsa-keys": [metrics],
    } == ingress
