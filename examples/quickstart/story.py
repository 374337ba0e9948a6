"""What the demo tells, whatever it is played on: each step as a person types it, what was seen, whether that was right.

A `Stage` is where it is played: a kind cluster, or an API server alone with a stand-in for kubelet. The story asks it
for nothing but kubectl and a command inside a pod, so that both stages show the same.
"""

import base64
import difflib
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import jwt
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

NAMESPACE = "quickstart"
ACCOUNT = "111122223333"
READER = f"arn:aws:iam::{ACCOUNT}:role/s3-reader"
AUDITOR = f"arn:aws:iam::{ACCOUNT}:role/auditor"
BUCKETS = ("productionapp", "reports")
TOKEN_FILE = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"  # noqa: S105 -- a path

LIST_BUCKETS = 'import boto3; print(*(b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]))'
WHO_AM_I = 'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])'
PRINT_TOKEN = 'import os; print(open(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).read())'  # noqa: S105 -- a program
REFUSED = """\
from botocore.exceptions import ClientError
try:
{attempt}
except ClientError as refusal:
    print(refusal)
else:
    raise SystemExit("not refused")
"""


class Stage(Protocol):
    """Where the story is played; `image` has Python with boto3 in it and nothing else."""

    image: str

    def kubectl(self, *arguments: str, manifest: str | None = None) -> str:
        """Run kubectl with `manifest` as its standard input. Returns its standard output."""

    def ready(self, pod: str) -> str:
        """Wait until the pod runs; returns what a person would see of that."""

    def python(self, pod: str, program: str, *arguments: str) -> str:
        """Run a Python program in the pod, as `kubectl exec` does. Returns its standard output."""


@dataclass
class Narrator:
    """Prints steps and keeps count of what came out otherwise than it should."""

    colour: bool = field(default_factory=sys.stdout.isatty)
    failures: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    steps: int = 0

    def step(self, title: str) -> None:
        """A headline with the time since the start."""
        self.steps += 1
        print(f"\n{self._paint('1', f'{self.steps}. {title}')}  [{time.monotonic() - self.started:.0f} s]", flush=True)

    def typed(self, command: str) -> None:
        """A command as a person would type it."""
        print(self._paint("36", f"   $ {command}"), flush=True)

    def seen(self, text: str) -> None:
        """What came back, indented."""
        for line in text.rstrip().splitlines():
            print(f"   {line}", flush=True)

    def expect(self, what: str, holds: bool) -> None:  # noqa: FBT001 -- reads as a sentence where it is called
        """Say whether `what` holds, and remember it where not."""
        mark = self._paint("32", "ok") if holds else self._paint("31", "NOT SO")
        print(f"   {mark}: {what}", flush=True)
        if not holds:
            self.failures.append(what)

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text


def tell(stage: Stage, say: Narrator) -> None:
    """The whole story, from an annotated ServiceAccount to three refusals."""
    annotate(stage, say, "reader", READER)
    pod = start(stage, say, "buckets", "reader")
    show_injection(say, pod)
    token = show_token(stage, say)
    show_access(stage, say)
    refuse_stranger(stage, say)
    refuse_foreign_key(stage, say, token)
    refuse_action(stage, say)


def annotate(stage: Stage, say: Narrator, name: str, role: str) -> None:
    """A ServiceAccount and its role: all that a user of IRSA ever writes."""
    say.step(f"ServiceAccount {name!r} is given the role {role.rpartition('/')[2]!r}")
    for command in (
        ("create", "serviceaccount", name, "-n", NAMESPACE),
        ("annotate", "serviceaccount", name, "-n", NAMESPACE, f"eks.amazonaws.com/role-arn={role}"),
    ):
        say.typed(" ".join(("kubectl", *command)))
        say.seen(stage.kubectl(*command))


def start(stage: Stage, say: Narrator, name: str, account: str) -> tuple[str, str]:
    """A pod that says nothing of AWS. Returns the manifest as it was sent and as it runs."""
    say.step(f"A pod {name!r} with boto3 and nothing else starts under ServiceAccount {account!r}")
    sent = manifest(name, account, stage.image)
    say.typed(f"kubectl apply -f {name}.yaml")
    say.seen(stage.kubectl("apply", "-f", "-", manifest=yaml.safe_dump(sent, sort_keys=False)))
    say.seen(stage.ready(name))
    return yaml.safe_dump(sent, sort_keys=False), stage.kubectl("get", "pod", "-n", NAMESPACE, name, "-o", "json")


def manifest(name: str, account: str, image: str) -> dict[str, Any]:
    """The pod as its author writes it."""
    restricted = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "app",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", "import time; time.sleep(3600)"],
        "securityContext": restricted,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"serviceAccountName": account, "terminationGracePeriodSeconds": 0, "containers": [container]},
    }


def show_injection(say: Narrator, pod: tuple[str, str]) -> None:
    """The difference between what was sent and what runs, as far as the webhook made it."""
    say.step("What the webhook added to it")
    sent, running = yaml.safe_load(pod[0]), json.loads(pod[1])
    added = shape(running)
    for line in difflib.unified_diff(
        yaml.safe_dump(shape(sent), sort_keys=False).splitlines(),
        yaml.safe_dump(added, sort_keys=False).splitlines(),
        lineterm="",
        n=1,
    ):
        if not line.startswith(("---", "+++", "@@")):
            say.seen(line)
    names = {entry["name"] for entry in added["env"]}
    say.expect("the pod has the role and the token file", {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} <= names)


def shape(pod: dict[str, Any]) -> dict[str, Any]:
    """The fields of a pod that are of interest here, without what Kubernetes adds; of long values the first line."""
    container = pod["spec"]["containers"][0]
    return {
        "annotations": {
            key: value.partition("\n")[0] + (" ..." if "\n" in value else "")
            for key, value in pod["metadata"].get("annotations", {}).items()
            if key.startswith("eks.amazonaws.com/")
        },
        "env": container.get("env", []),
        "volumeMounts": [
            each for each in container.get("volumeMounts", []) if "kubernetes.io" not in each["mountPath"]
        ],
        "volumes": [each for each in pod["spec"].get("volumes", []) if not each["name"].startswith("kube-api-access-")],
    }


def show_token(stage: Stage, say: Narrator) -> str:
    """The claims of the token that kubelet wrote. Returns the token."""
    say.step("The token that kubelet wrote into it")
    say.typed(f"kubectl exec -n {NAMESPACE} buckets -- cat {TOKEN_FILE} | cut -d. -f2 | base64 -d")
    token = stage.python("buckets", PRINT_TOKEN).strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    say.seen(json.dumps({key: claims[key] for key in ("iss", "aud", "sub", "exp")}, indent=2))
    say.expect("it is meant for STS alone", claims["aud"] == ["sts.amazonaws.com"])
    say.expect("it names the ServiceAccount", f"system:serviceaccount:{NAMESPACE}:reader" == claims["sub"])
    return token


def show_access(stage: Stage, say: Narrator) -> None:
    """Who the pod is for AWS, and what it may."""
    say.step("Who the pod is, by its SDK's own credential chain")
    say.typed(f"kubectl exec -n {NAMESPACE} buckets -- python3 -c '{WHO_AM_I}'")
    identity = stage.python("buckets", WHO_AM_I)
    say.seen(identity)
    say.expect("it has the role", identity.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/s3-reader/"))
    say.step("The buckets it can list")
    say.typed(f"kubectl exec -n {NAMESPACE} buckets -- python3 -c '{LIST_BUCKETS}'")
    listed = stage.python("buckets", LIST_BUCKETS)
    say.seen(listed)
    say.expect("both are there", set(BUCKETS) <= set(listed.split()))


def refuse_stranger(stage: Stage, say: Narrator) -> None:
    """A ServiceAccount that carries the role's ARN although the role's trust policy does not name it."""
    annotate(stage, say, "stranger", READER)
    start(stage, say, "stranger", "stranger")
    attempt = refusal(LIST_BUCKETS)
    answer(say, "its role's trust policy does not name it", stage.python("stranger", attempt), "(AccessDenied)")


def refuse_foreign_key(stage: Stage, say: Narrator, token: str) -> None:
    """The reader's own token, claim by claim, under its key id, but signed by another key."""
    say.step("A token with the right claims, signed by a foreign key")
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = jwt.encode(claims, foreign, "RS256", headers={"kid": jwt.get_unverified_header(token)["kid"]})
    attempt = (
        "import boto3, sys\n"
        'boto3.client("sts").assume_role_with_web_identity(\n'
        f'    RoleArn="{READER}", RoleSessionName="forger", WebIdentityToken=sys.argv[1])'
    )
    answer(
        say, "the key is not the cluster's", stage.python("buckets", refusal(attempt), forged), "(InvalidIdentityToken)"
    )


def refuse_action(stage: Stage, say: Narrator) -> None:
    """A role that can be assumed, but has no right to list buckets."""
    annotate(stage, say, "auditor", AUDITOR)
    start(stage, say, "auditor", "auditor")
    identity = stage.python("auditor", WHO_AM_I)
    say.seen(identity)
    say.expect("it has its role", f"assumed-role/{AUDITOR.rpartition('/')[2]}/" in identity)
    answer(say, "its role may not list buckets", stage.python("auditor", refusal(LIST_BUCKETS)), "(AccessDenied)")


def refusal(attempt: str) -> str:
    """A program that prints the SDK's error, and fails where there is none."""
    return REFUSED.format(attempt="\n".join("    " + line for line in attempt.splitlines()))


def answer(say: Narrator, why: str, text: str, code: str) -> None:
    """Show a refusal, and check its code."""
    say.seen(text)
    say.expect(f"refused with {code[1:-1]}: {why}", code in text)
