"""The rights of each component, in full: a rule that is added or widened must be added here too."""

import pytest

from tests.chart.helm import Install, Object, install, render
from tests.chart.matrix import CERT_MANAGER, OWN_SECRETS

Rule = tuple[str, str, str, str]  # API groups, resources, names or *, verbs

SERVICE_ACCOUNTS = ("", "serviceaccounts", "*", "get list watch")
KEPT = "irsa-webhook-ca irsa-ca irsa-oidc-tls irsa-sts-tls irsa-sts-session-key"


def configuration(name: str = "irsa-webhook") -> Rule:
    return ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", name, "get patch")


def kept(names: str = KEPT) -> list[Rule]:
    return [("", "secrets", names, "get update"), ("", "secrets", "*", "create")]


OWNER = ("apps", "deployments", "irsa-webhook", "get")
KEYS = [
    ("", "configmaps", "irsa-keys", "get patch"),
    ("", "configmaps", "*", "create"),
    ("coordination.k8s.io", "leases", "irsa-keys", "get patch"),
    ("coordination.k8s.io", "leases", "*", "create"),
    ("", "events", "*", "create"),
    ("apps", "deployments", "irsa-keys", "get"),
]
MAPPING = ("", "configmaps", "pod-identity-webhook", "get list watch")

# install -> rules of ClusterRole irsa-webhook, of Role irsa-webhook
TABLE = {
    "real AWS": (
        install(),
        [SERVICE_ACCOUNTS, configuration()],
        [*kept("irsa-webhook-ca irsa-ca irsa-oidc-tls"), OWNER],
    ),
    "local AWS": (install(local=True), [SERVICE_ACCOUNTS, configuration()], [*kept(), OWNER]),
    "second install": (
        install(namespace="team-a", local=True),
        [SERVICE_ACCOUNTS, configuration("irsa-webhook-team-a")],
        [*kept(), OWNER],
    ),
    "webhook alone": (
        install({"oidc.enabled": False}),
        [SERVICE_ACCOUNTS, configuration()],
        [*kept("irsa-webhook-ca"), OWNER],
    ),
    "cert-manager": (install(CERT_MANAGER), [SERVICE_ACCOUNTS], [OWNER]),
    "own Secrets": (install(OWN_SECRETS, local=True), [SERVICE_ACCOUNTS], [*kept("irsa-sts-session-key"), OWNER]),
    "a ConfigMap of roles": (
        install({"webhook.watchConfigMap": True, "oidc.enabled": False}),
        [SERVICE_ACCOUNTS, configuration()],
        [*kept("irsa-webhook-ca"), OWNER, MAPPING],
    ),
}


def rules(role: Object) -> list[Rule]:
    return [
        (
            " ".join(rule["apiGroups"]),
            " ".join(rule["resources"]),
            " ".join(rule.get("resourceNames", ["*"])),
            " ".join(rule["verbs"]),
        )
        for rule in role["rules"]
    ]


@pytest.mark.parametrize("what, cluster_wide, namespaced", TABLE.values(), ids=TABLE)
def test_webhook(what: Install, cluster_wide: list[Rule], namespaced: list[Rule]) -> None:
    """ServiceAccounts everywhere, its own configuration, the Secrets that it keeps by name; and no more."""
    rendering = render(what)
    (role,) = rendering.kind("ClusterRole")
    assert cluster_wide == rules(role)
    assert namespaced == rules(rendering.one("Role", "irsa-webhook"))


@pytest.mark.parametrize("what", [install(), install(local=True), install(namespace="team-a")])
def test_oidc_may_read_the_public_documents_and_nothing_else(what: Install) -> None:
    bindings = [
        each
        for each in render(what).kind("RoleBinding", "ClusterRoleBinding")
        for subject in each["subjects"]
        if subject["name"] == "irsa-oidc"
    ]
    assert [("ClusterRoleBinding", "system:service-account-issuer-discovery")] == [
        (each["kind"], each["roleRef"]["name"]) for each in bindings
    ]


def test_sts_has_no_right_at_all() -> None:
    subjects = {
        subject["name"]
        for each in render(install(local=True)).kind("RoleBinding", "ClusterRoleBinding")
        for subject in each["subjects"]
    }
    assert {"irsa-webhook", "irsa-oidc"} == subjects


def test_the_ledger_writer_has_its_ledger_and_lease() -> None:
    rendering = render(install({"keys.enabled": True}))
    assert KEYS == rules(rendering.one("Role", "irsa-keys"))
    assert (
        "system:service-account-issuer-discovery" == rendering.one("ClusterRoleBinding", "irsa-keys")["roleRef"]["name"]
    )


def test_a_sts_that_reads_the_api_servers_documents_may_do_that_alone() -> None:
    """Its token is a projected one of an hour, not the mounted kind."""
    rendering = render(install({"sts.clusterToken": True}, local=True))
    assert (
        "system:service-account-issuer-discovery" == rendering.one("ClusterRoleBinding", "irsa-sts")["roleRef"]["name"]
    )
    (volume,) = [each for each in rendering.pod("sts")["volumes"] if each["name"] == "cluster"]
    assert {"path": "token", "expirationSeconds": 3600} == volume["projected"]["sources"][0]["serviceAccountToken"]
