"""Every numbered rule of compatibility, on our webhook and on any other that is given as `PEER=/path/to/binary`."""

import contextlib
import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irsa.cli.webhook import command
from tests.cluster import pki
from tests.cluster.apiserver import ApiServer
from tests.webhook import rules
from tests.webhook.process import eventually, metadata_service, started
from tests.webhook.rules import Case
from webhook import grants, instance, mapping, review
from webhook.annotations import read_service_account
from webhook.grants import Sources
from webhook.instance import Instance
from webhook.options import config
from webhook.store import UNKNOWN

CASES = list(rules.load())
NUMBER = itertools.count(1)


def decide(case: Case) -> dict[str, Any]:
    """Our answer, from flags to AdmissionReview, without a process."""
    flags = [*case.data.get("flags", []), "--kube-api=http://127.0.0.1:1"]
    told = config(command.make_context("webhook", flags).params)
    settings = told.settings
    if told.compose:
        settings = instance.composing(settings, Instance(**case.data["instance"]))
    identities = frozenset((each["namespace"], each["serviceAccount"]) for each in case.data.get("identities", []))
    sources = Sources(mapping.read(json.dumps(case.data.get("config_map", {})), settings.defaults), identities)
    question = review.read(json.dumps(case.review).encode())
    assert question.request is not None
    namespace, name = review.account_of(question.request)
    annotations = case.annotations
    standing = UNKNOWN
    if annotations is not None and (namespace, name) == ("demo", "app"):
        standing = read_service_account("demo/app", annotations, settings.defaults)
    granted = grants.grant(namespace, name, standing, sources, settings.defaults)
    decision = review.decide(question.request, granted, settings, jitter=77)
    return dict(json.loads(review.answer(question, decision)))


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_rule(case: Case) -> None:
    """The pod comes out as the rule says."""
    seen, wanted = rules.after(case, decide(case)), case.expected(peer=False)
    assert rules.matches(seen, wanted), json.dumps(seen, indent=1)


def settings() -> Iterator[tuple[str, list[Case]]]:
    """Cases by what a process is started with."""
    yield from (
        (key, list(group))
        for key, group in itertools.groupby(sorted(CASES, key=lambda case: case.setting), lambda case: case.setting)
    )


def answers(apiserver: ApiServer, folder: Path, cases: list[Case], binary: str, flags: list[str]) -> dict[str, Any]:
    """What a webhook process makes of cases of one setting, by their ids; each in a namespace of its own."""
    placed: dict[str, Case] = {}
    for case in cases:
        namespace = f"rule-{next(NUMBER)}"
        apiserver.namespace(namespace)
        data = json.loads(json.dumps(case.data).replace("demo", namespace))
        placed[namespace] = Case(case.rule, case.name, data)
        if case.annotations is not None:
            account = {"metadata": {"name": "app", "annotations": case.annotations}}
            apiserver.client.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    first, data = next((namespace, case.data) for namespace, case in placed.items())
    options = [*data.get("flags", []), f"--namespace={first}", *flags]
    if "config_map" in data:
        entries = {key: value for case in placed.values() for key, value in case.data["config_map"].items()}
        content = {"metadata": {"name": "pod-identity-webhook"}, "data": {"config": json.dumps(entries)}}
        apiserver.client.create(f"/api/v1/namespaces/{first}/configmaps", content)
    if "identities" in data:
        users = [user for case in placed.values() for user in case.data["identities"]]
        (folder / f"{first}.json").write_text(json.dumps({"identities": users}))
        options.append(f"--watch-container-credentials-config={folder}/{first}.json")
    prefix = next(
        (flag.partition("=")[2] for flag in options if flag.startswith("--annotation-prefix")), rules.PREFIX[:-1]
    )
    marker = apiserver.namespace()
    marking = {"metadata": {"name": "app", "annotations": {f"{prefix}/role-arn": "arn:aws:iam::111122223333:role/x"}}}
    apiserver.client.create(f"/api/v1/namespaces/{marker}/serviceaccounts", marking)
    probe = Case("", "", json.loads(json.dumps(CASES[0].data).replace("demo", marker)))

    def asked(case: Case, namespace: str) -> dict[str, Any]:
        body = json.dumps(case.review).replace('"demo"', f'"{namespace}"').encode()
        return dict(json.loads(rules.ask(running.port, body)[1]))

    def listed() -> bool:
        try:
            return "patch" in asked(probe, marker)["response"]
        except OSError:
            return False

    with contextlib.ExitStack() as stack:
        variables = {}
        if "instance" in data:
            variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = stack.enter_context(metadata_service(data["instance"]))
        running = stack.enter_context(
            started(apiserver.kubeconfig, folder, *options, command=binary.split(), variables=variables)
        )
        eventually(listed, "the first patched pod", explain=running.tail)
        found = {}
        for namespace, case in placed.items():
            seen = rules.after(case, asked(case, namespace))
            found[case.id] = json.loads(json.dumps(seen).replace(namespace, "demo"))
        return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Flags that name a certificate."""
    folder = tmp_path_factory.mktemp("files")
    pair = pki.Authority().server("localhost")
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)
    return ["--in-cluster=false", f"--tls-cert={folder}/tls.crt", f"--tls-key={folder}/tls.key"]


def test_rules_on_a_running_process(apiserver: ApiServer, tmp_path: Path, files: list[str]) -> None:
    """All cases without flags, over HTTPS, with ServiceAccounts of a real API server."""
    cases = [case for case in CASES if case.setting == "[null, null, null, null]"]
    seen = answers(
        apiserver, tmp_path, cases, f"{sys.executable} -m webhook", [*files, "--webhook-configuration-name="]
    )
    wrong = [case.id for case in cases if not rules.matches(seen[case.id], case.expected(peer=False))]
    assert len(cases) > 40
    assert [] == wrong


def test_rules_on_an_ec2_instance(apiserver: ApiServer, tmp_path: Path, files: list[str]) -> None:
    """The account is asked of the instance metadata service, by a token, as version 2 of it wants."""
    cases = [case for case in CASES if case.data.get("instance", {}).get("region") == "cn-north-1"]
    seen = answers(
        apiserver, tmp_path, cases, f"{sys.executable} -m webhook", [*files, "--webhook-configuration-name="]
    )
    assert [case.expected(peer=False) for case in cases] == [seen[case.id] for case in cases]


def test_without_an_ec2_instance_the_operator_is_told(apiserver: ApiServer, tmp_path: Path, files: list[str]) -> None:
    """Exit code 1, with the flag that would do instead."""
    away = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"}
    with started(apiserver.kubeconfig, tmp_path, "--compose-role-arn", *files, variables=away) as running:
        assert 1 == running.process.wait(30)
    assert "give --account-id" in running.log.read_text()


@pytest.mark.parametrize("setting, cases", list(settings()), ids=[key for key, _ in settings()])
@pytest.mark.peer
def test_rules_on_a_peer(
    apiserver: ApiServer, tmp_path: Path, files: list[str], setting: str, cases: list[Case]
) -> None:
    """Each case comes out as the data says, but for what the data counts as a defect; empty fields do not matter."""
    seen = answers(apiserver, tmp_path, cases, os.environ["PEER"], files)
    for case in cases:
        assert rules.matches(rules.pruned(seen[case.id]), rules.pruned(case.expected(peer=True))), (
            f"{case.id}: {json.dumps(seen[case.id], indent=1)}"
        )
