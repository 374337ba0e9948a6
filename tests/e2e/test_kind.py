"""What irsa promises, on a real cluster: installed by helm, used by pods that know nothing of it.

The tests share one installation and run in order of writing; each restores what it takes away.
"""

import json

import pytest

from examples.quickstart import story
from tests.cluster.cluster import Cluster
from tests.e2e.kind import ACCOUNT, COMPONENTS, NAMESPACE, READER, ROOT, Installed, variables, wait

PLACE = "quickstart"  # the namespace that the quickstart's trust policies name
IDENTITY = f"arn:aws:sts::{ACCOUNT}:assumed-role/s3-reader/"
TIMES = 200
QUICKSTART = ROOT / "examples" / "quickstart"


@pytest.fixture(scope="module")
def irsa(cluster: Cluster) -> Installed:
    """Irsa as README installs it, with a namespace of its own."""
    installed = Installed(cluster)
    installed.uninstall()
    installed.install()
    installed.namespace(PLACE)
    installed.account(PLACE, "reader")
    return installed


def test_a_pod_that_knows_nothing_lists_buckets_by_its_role(irsa: Installed) -> None:
    """Annotation, admission, token, STS, gateway, S3: the whole way, in a pod with boto3 and nothing else."""
    irsa.start(PLACE, "buckets", "reader")
    assert irsa.python(PLACE, "buckets", story.WHO_AM_I).startswith(IDENTITY)
    assert list(story.BUCKETS) == irsa.python(PLACE, "buckets", story.LIST_BUCKETS).split()


def test_the_manifests_of_the_quickstart_come_out_as_they_say(irsa: Installed) -> None:
    """The reader lists the buckets; the stranger and the auditor are refused, each in the words of AWS."""
    irsa.kubectl("delete", "namespace", PLACE, "--ignore-not-found", "--wait")
    irsa.kubectl("apply", "-f", str(QUICKSTART / "serviceaccounts.yaml"))
    pods = (QUICKSTART / "pods.yaml").read_text().replace("localhost/irsa-demo:dev", irsa.demo_image)
    irsa.kubectl("apply", "-f", "-", stdin=pods)
    outcomes = {}
    for name, phase in (("reader", "Succeeded"), ("stranger", "Failed"), ("auditor", "Failed")):
        irsa.kubectl("wait", "-n", PLACE, f"pod/{name}", f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=90s")
        outcomes[name] = irsa.kubectl("logs", "-n", PLACE, name)
    identity, *buckets = outcomes["reader"].split()
    assert identity.startswith(IDENTITY)
    assert list(story.BUCKETS) == buckets
    assert "(AccessDenied) when calling the AssumeRoleWithWebIdentity operation" in outcomes["stranger"]
    assert "(AccessDenied) when calling the ListBuckets operation" in outcomes["auditor"]


def test_the_story_of_the_demo_comes_out_as_told(irsa: Installed) -> None:
    """`make demo` and this test tell the same story."""
    from examples.quickstart.demo import KindStage

    irsa.namespace(PLACE)
    say = story.Narrator()
    story.tell(KindStage(irsa), say)
    assert [] == say.failures


@pytest.mark.timeout(300)
def test_a_pod_made_in_the_same_apply_as_its_service_account_gets_its_role(irsa: Installed) -> None:
    """200 times out of 200: the watch may be behind, the live look-up is not."""
    place = irsa.namespace("same-apply")
    objects = []
    for number in range(TIMES):
        metadata = {"name": f"sa-{number}", "namespace": place, "annotations": {"eks.amazonaws.com/role-arn": READER}}
        objects.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        objects.append(irsa.pod(place, f"pod-{number}", f"sa-{number}", schedulingGates=[{"name": "test/never"}]))
    irsa.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(each) for each in objects), seconds=280)
    pods = irsa.get("pods", "-n", place)["items"]
    assert TIMES == len(pods)
    assert [] == [pod["metadata"]["name"] for pod in pods if variables(pod).get("AWS_ROLE_ARN") != READER]
    irsa.kubectl("delete", "namespace", place, "--wait=false")


@pytest.mark.timeout(300)
def test_a_pod_made_right_after_an_existing_service_account_was_annotated_gets_its_role(irsa: Installed) -> None:
    """200 times out of 200: a ServiceAccount known without a role is asked for again."""
    place = irsa.namespace("annotated-late")
    client = irsa.cluster.client
    accounts = f"/api/v1/namespaces/{place}/serviceaccounts"
    for number in range(TIMES):
        client.create(accounts, {"metadata": {"name": f"sa-{number}"}})
    missed = []
    for number in range(TIMES):
        client.patch(f"{accounts}/sa-{number}", {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": READER}}})
        pod = irsa.pod(place, f"pod-{number}", f"sa-{number}", schedulingGates=[{"name": "test/never"}])
        made = client.create(f"/api/v1/namespaces/{place}/pods", pod)
        if variables(made).get("AWS_ROLE_ARN") != READER:
            missed.append(number)
    assert [] == missed
    irsa.kubectl("delete", "namespace", place, "--wait=false")


def test_with_the_webhook_away_a_pod_still_starts(irsa: Installed) -> None:
    """It fails open: without a role, but it runs."""
    irsa.scale("webhook", 0)
    try:
        irsa.start(PLACE, "unhelped", "reader")
        assert "AWS_ROLE_ARN" not in variables(irsa.get("pod", "-n", PLACE, "unhelped"))
    finally:
        irsa.scale("webhook", 1)
    wait(lambda: injected(irsa, "helped-again"), 60, "pods get their role again")


def test_with_the_oidc_server_restarted_tokens_still_verify(irsa: Installed) -> None:
    """Before, during and after: the STS keeps the keys, the server publishes the same ones again."""
    irsa.kubectl("delete", "pod", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=oidc")
    assert irsa.python(PLACE, "buckets", story.WHO_AM_I).startswith(IDENTITY)
    irsa.rollout("oidc")
    irsa.kubectl("rollout", "restart", "-n", NAMESPACE, "deployment/irsa-sts")  # an empty cache must fetch them
    irsa.rollout("sts")
    wait(lambda: irsa.python(PLACE, "buckets", story.WHO_AM_I).startswith(IDENTITY), 60, "tokens verify")


def test_with_the_api_server_restarted_everything_recovers_by_itself(irsa: Installed) -> None:
    """No pod of ours is restarted for it, and none is needed."""
    before = restarts(irsa)
    irsa.cluster.restart_apiserver()
    wait(lambda: injected(irsa, "after-restart"), 120, "pods get their role")
    wait(lambda: irsa.python(PLACE, "buckets", story.WHO_AM_I).startswith(IDENTITY), 60, "tokens verify")
    for component in COMPONENTS:
        irsa.rollout(component)
    assert before == restarts(irsa)


def test_every_decision_is_a_line_with_its_reason_and_no_secret_is_in_any(irsa: Installed) -> None:
    """The very tokens and keys that pods used are searched for in every log."""
    assert "AccessDenied" in irsa.python(PLACE, "stranger", story.refusal(story.LIST_BUCKETS))
    secrets = [irsa.python(PLACE, "buckets", story.PRINT_TOKEN).strip(), *credentials(irsa)]
    logs = {component: irsa.logs(component) for component in COMPONENTS}
    for component, text in logs.items():
        assert [] == [secret[:12] for secret in secrets if secret in text or secret.rpartition(".")[2] in text], (
            component
        )
    injections = [line for line in decisions(logs["webhook"]) if line.get("pod") == f"{PLACE}/after-restart"]
    assert {"role"} == {line["reason"] for line in injections}
    refusals = [line for line in decisions(logs["sts"]) if line["message"] == "refused"]
    assert refusals
    assert all(line.get("reason") for line in refusals)


def test_uninstall_leaves_nothing_of_ours(irsa: Installed) -> None:
    """Neither Secrets nor the webhook configuration nor a role binding; pods start as if we had never been."""
    irsa.uninstall()
    wait(lambda: [] == leftovers(irsa), 60, "nothing is left")
    irsa.start(PLACE, "plain", "reader")
    assert "AWS_ROLE_ARN" not in variables(irsa.get("pod", "-n", PLACE, "plain"))


def injected(irsa: Installed, name: str) -> bool:
    """Whether a pod, made anew under the annotated ServiceAccount, gets its role."""
    irsa.kubectl("delete", "pod", "-n", PLACE, name, "--ignore-not-found")
    irsa.kubectl("apply", "-f", "-", stdin=json.dumps(irsa.pod(PLACE, name, "reader")))
    return variables(irsa.get("pod", "-n", PLACE, name)).get("AWS_ROLE_ARN") == READER


def restarts(irsa: Installed) -> dict[str, int]:
    """How often each of our containers was restarted; pods that an earlier test replaced may still be ending."""
    return {
        f"{pod['metadata']['name']}/{status['name']}": status["restartCount"]
        for pod in irsa.get("pods", "-n", NAMESPACE)["items"]
        if "deletionTimestamp" not in pod["metadata"]
        for status in pod["status"].get("containerStatuses", [])
    }


def credentials(irsa: Installed) -> list[str]:
    """A secret key and a session token that the STS minted, and the keys that it signs and seals with."""
    program = (
        "import boto3; c = boto3.Session().get_credentials().get_frozen_credentials(); print(c.secret_key, c.token)"
    )
    stored = irsa.get("secrets", "-n", NAMESPACE, "irsa-sts-session-key")["data"]
    return [*irsa.python(PLACE, "buckets", program).split(), *stored.values()]


def decisions(text: str) -> list[dict[str, str]]:
    """The JSON lines of a log that `kubectl logs --prefix` printed."""
    return [json.loads(line[line.index("{") :]) for line in text.splitlines() if "] {" in line]


def leftovers(irsa: Installed) -> list[str]:
    """What of ours is still in the cluster; the namespace is the user's."""
    namespaced = (
        "secrets,configmaps,serviceaccounts,services,deployments,pods,roles,rolebindings,leases,poddisruptionbudgets"
    )
    inside = irsa.kubectl("get", namespaced, "-n", NAMESPACE, "-o", "name").split()
    wide = "mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterroles,clusterrolebindings"
    outside = irsa.kubectl("get", wide, "-o", "name").split()
    theirs = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
    return [name for name in inside if name not in theirs] + [name for name in outside if "irsa" in name]
