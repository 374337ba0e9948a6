"""What holds for every install, whatever its values: valid objects, restricted pods, fixed names, no leftovers."""

import functools
import json
from collections.abc import Iterator

import kubernetes_validate.utils
import pytest

from tests.chart.helm import CHART, Object, Rendering, render, run
from tests.chart.matrix import INSTALLS

VERSIONS = ["1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"]
# The library reads all definitions, two megabytes, for every object; once for each version is enough.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)

FOREIGN = {
    "Certificate",
    "Issuer",
    "HTTPRoute",
    "ServiceMonitor",
}  # of other projects; Kubernetes has no schema for them
CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration"}
KNOWN_KINDS = {
    *("Deployment", "Service", "ServiceAccount", "Secret", "PodDisruptionBudget", "NetworkPolicy", "Ingress"),
    *("Role", "RoleBinding", *CLUSTER_SCOPED, *FOREIGN),
}


@pytest.fixture(params=INSTALLS, scope="module")
def rendering(request: pytest.FixtureRequest) -> Rendering:
    return render(INSTALLS[request.param])


def containers(rendering: Rendering) -> Iterator[Object]:
    for deployment in rendering.kind("Deployment"):
        yield from deployment["spec"]["template"]["spec"]["containers"]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(rendering: Rendering, version: str) -> None:
    """Strict validation: a field that this version does not have is an error, not a silent loss."""
    for each in rendering:
        if each["kind"] not in FOREIGN:
            validate(json.dumps(each), version)


@functools.cache
def validate(text: str, version: str) -> None:
    """Most objects are equal in most installs; each is judged once."""
    kubernetes_validate.validate(json.loads(text), version, strict=True)


@pytest.mark.parametrize("name", INSTALLS)
def test_lint_has_nothing_to_say(name: str) -> None:
    done = run("lint", "--strict", str(CHART), *INSTALLS[name].arguments()[2:])
    assert 0 == done.returncode, done.stdout + done.stderr


def test_pods_are_restricted(rendering: Rendering) -> None:
    """The Pod Security Standard `restricted`, and a root file system that cannot be written."""
    for deployment in rendering.kind("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        } == pod["securityContext"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod.keys()
        kinds = {kind for volume in pod.get("volumes", []) for kind in volume if kind != "name"}
        assert kinds <= {"secret", "configMap", "emptyDir", "projected"}
    for container in containers(rendering):
        assert {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        } == container["securityContext"]


def test_private_keys_are_not_for_everyone(rendering: Rendering) -> None:
    """Mounted Secrets are readable by the pod's user and group alone."""
    for deployment in rendering.kind("Deployment"):
        for volume in deployment["spec"]["template"]["spec"].get("volumes", []):
            for source in ("secret", "projected"):
                if source in volume:
                    assert 0o440 == volume[source]["defaultMode"]


def test_every_container_is_bounded_and_probed(rendering: Rendering) -> None:
    for container in containers(rendering):
        assert {"cpu", "memory"} == container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
        assert {"startupProbe", "readinessProbe"} <= container.keys()
        assert ("livenessProbe" in container) == (container["name"] != "s3")


def test_service_links_are_off(rendering: Rendering) -> None:
    """A Service irsa-sts would otherwise put IRSA_STS_PORT=tcp://... into every container beside it."""
    for deployment in rendering.kind("Deployment"):
        assert deployment["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_only_those_that_speak_to_the_api_server_hold_a_token(rendering: Rendering) -> None:
    tokens = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["automountServiceAccountToken"]
        for each in rendering.kind("Deployment")
    }
    assert {name: name != "irsa-sts" for name in tokens} == tokens
    assert all(each["automountServiceAccountToken"] is False for each in rendering.kind("ServiceAccount"))


def test_each_deployment_has_a_service_account_of_its_own(rendering: Rendering) -> None:
    for deployment in rendering.kind("Deployment"):
        name = deployment["metadata"]["name"]
        assert name == deployment["spec"]["template"]["spec"]["serviceAccountName"]
        assert name == rendering.one("ServiceAccount", name)["metadata"]["name"]


def test_selectors_never_change_and_find_their_own_pods_alone(rendering: Rendering) -> None:
    """Three labels, none of them a version or a value of the user's; Services and budgets select by the same."""
    for deployment in rendering.kind("Deployment"):
        component = deployment["metadata"]["name"].removeprefix("irsa-")
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert {
            "app.kubernetes.io/name": "irsa",
            "app.kubernetes.io/instance": "irsa",
            "app.kubernetes.io/component": component,
        } == selector
        assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
        assert selector == rendering.one("Service", f"irsa-{component}")["spec"]["selector"]
    for budget in rendering.kind("PodDisruptionBudget"):
        assert (
            f"irsa-{budget['spec']['selector']['matchLabels']['app.kubernetes.io/component']}"
            == budget["metadata"]["name"]
        )


def test_everything_is_labelled_as_ours(rendering: Rendering) -> None:
    for each in rendering:
        labels = each["metadata"]["labels"]
        assert ("irsa", "irsa", "Helm") == tuple(
            labels[f"app.kubernetes.io/{key}"] for key in ("name", "instance", "managed-by")
        )


def test_uninstall_takes_everything(rendering: Rendering) -> None:
    """No hook, which helm forgets; no `keep` policy; no namespace and no CRD, which uninstall leaves."""
    for each in rendering:
        annotations = each["metadata"].get("annotations", {})
        assert not [key for key in annotations if key.startswith("helm.sh/")]
        assert each["kind"] in KNOWN_KINDS


def test_nothing_reaches_into_another_namespace(request: pytest.FixtureRequest, rendering: Rendering) -> None:
    namespace = INSTALLS[request.node.callspec.params["rendering"]].namespace
    for each in rendering:
        assert (None if each["kind"] in CLUSTER_SCOPED else namespace) == each["metadata"].get("namespace")
        for subject in each.get("subjects", []):
            assert namespace == subject["namespace"]


def test_cluster_scoped_names_tell_two_installs_apart(request: pytest.FixtureRequest, rendering: Rendering) -> None:
    namespace = INSTALLS[request.node.callspec.params["rendering"]].namespace
    ending = "" if namespace == "irsa-system" else f"-{namespace}"
    for each in rendering.kind(*CLUSTER_SCOPED):
        component = each["metadata"]["labels"]["app.kubernetes.io/component"]
        assert f"irsa-{component}{ending}" == each["metadata"]["name"]


def test_certificates_are_never_made_by_the_chart(rendering: Rendering) -> None:
    """A rendering that makes keys differs every time; the only Secret of ours is the account file."""
    assert {each["metadata"]["name"] for each in rendering.kind("Secret")} <= {"irsa-sts-accounts"}
