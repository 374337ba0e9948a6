"""What happens around the webhook on a real API server: much, late, lost, restarted. No pod is missed or rejected."""

import base64
import contextlib
import itertools
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.apiserver import ApiServer
from tests.cluster.client import ApiError
from tests.webhook import rules
from tests.webhook.pods import pod as plain_pod
from tests.webhook.pods import review
from tests.webhook.process import ARN, Proxy, Site, Webhook, eventually, kubeconfig_through
from tests.webhook.scale import fill
from webhook import operator

FreshApiServer = Callable[..., object]


@pytest.fixture(scope="module")
def site(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A namespace of this module's own."""
    made = Site(apiserver, tmp_path_factory.mktemp("robustness"))
    made.account("app")
    return made


@pytest.fixture(scope="module")
def proxy(site: Site) -> Iterator[Proxy]:
    """What stands between the webhook and the API server."""
    made = Proxy(int(site.api.url.rpartition(":")[2]))
    yield made
    made.close()


@pytest.fixture(scope="module")
def webhook(site: Site, proxy: Proxy) -> Iterator[Webhook]:
    """A webhook that reaches the API server through the proxy."""
    through = kubeconfig_through(site.api.kubeconfig, proxy.port, site.folder)
    with site.webhook(kubeconfig=through) as running:
        site.register(running.port)
        running.wait_ready()
        yield running


@pytest.mark.usefixtures("webhook")
def test_a_pod_made_right_after_its_service_account_gets_its_role(site: Site) -> None:
    """Fifty new ones, and fifty that existed and were annotated a moment ago."""
    seen = []
    for number in range(50):
        site.account(f"new-{number}")
        seen.append(site.role(f"new-{number}"))
        site.account(f"old-{number}", {})
        site.annotate(f"old-{number}", {"eks.amazonaws.com/role-arn": ARN})
        seen.append(site.role(f"old-{number}"))
    assert [ARN] * 100 == seen


@pytest.mark.usefixtures("webhook")
def test_a_service_account_that_was_asked_for_in_vain_is_asked_for_again(site: Site, webhook: Webhook) -> None:
    """Each pod asks anew: no failed look is remembered, so the first pod after it exists gets its role."""

    def looks() -> float:
        found = re.search(r'irsa_sa_live_gets_total{result="no-role"} (\S+)', webhook.get("/metrics")[1])
        return float(found[1]) if found else 0

    absent = plain_pod(serviceAccountName="late")
    absent["metadata"]["namespace"] = site.namespace
    body, before = json.dumps(review(absent, namespace=site.namespace)).encode(), looks()
    answers = [json.loads(rules.ask(webhook.port, body)[1])["response"] for _ in range(3)]
    assert [(True, False)] * 3 == [(answer["allowed"], "patch" in answer) for answer in answers]
    assert before + 3 == looks()
    site.account("late")
    assert "patch" in json.loads(rules.ask(webhook.port, body)[1])["response"]


def test_what_becomes_of_a_service_account_becomes_of_its_pods(site: Site) -> None:
    """L5: another role, none any more, and gone; by the watch alone, which must not need more than a moment."""
    with site.webhook("--live-lookup=never", "--webhook-configuration-name=") as webhook:
        webhook.wait_ready()

        def role() -> str:
            subject = plain_pod(serviceAccountName="changing")
            body = json.dumps(review(subject, namespace=site.namespace)).encode()
            answer = json.loads(rules.ask(webhook.port, body)[1])["response"]
            patch = json.loads(base64.b64decode(answer.get("patch", b"W10=")))
            found = [each["value"] for each in patch if each["path"].endswith("/env")]
            return str(found[0][0]["value"]) if found else ""

        site.account("changing")
        eventually(lambda: role() == ARN, "role", explain=webhook.tail)
        site.annotate("changing", {"eks.amazonaws.com/role-arn": ARN + "-other"})
        eventually(lambda: role() == ARN + "-other", "other role", explain=webhook.tail)
        site.annotate("changing", {"eks.amazonaws.com/role-arn": None})
        eventually(lambda: role() == "", "no role", explain=webhook.tail)
        site.annotate("changing", {"eks.amazonaws.com/role-arn": ARN})
        eventually(lambda: role() == ARN, "role again", explain=webhook.tail)
        site.api.client.delete(f"/api/v1/namespaces/{site.namespace}/serviceaccounts/changing")
        eventually(lambda: role() == "", "gone", explain=webhook.tail)


def test_a_pod_that_comes_before_its_service_account_is_waited_for(site: Site) -> None:
    """L7, L10: as long as --service-account-lookup-grace-period says; one that never comes costs no more than that."""
    flags = ("--service-account-lookup-grace-period=10s", "--webhook-configuration-name=")
    with site.webhook(*flags) as webhook, ThreadPoolExecutor(9) as pool:
        webhook.wait_ready()

        def patched(name: str) -> bool:
            body = json.dumps(review(plain_pod(serviceAccountName=name), namespace=site.namespace)).encode()
            return "patch" in json.loads(rules.ask(webhook.port, body)[1])["response"]

        early = [pool.submit(patched, "early") for _ in range(8)]
        never = pool.submit(patched, "never")
        eventually(lambda: "irsa_admission_connections 9.0" in webhook.get("/metrics")[1], "all of them waiting")
        site.account("early")
        assert [True] * 8 == [each.result(30) for each in early]
        assert not never.result(30)


def test_not_ready_before_the_list_is_complete(site: Site, proxy: Proxy, webhook: Webhook) -> None:
    """Who starts while the API server does not answer is alive, says what is missing, and gets no pod to spoil."""
    through = kubeconfig_through(site.api.kubeconfig, proxy.port, site.folder)
    assert webhook.ready
    proxy.stalled = True
    try:
        with site.webhook("--webhook-configuration-name=", kubeconfig=through) as late:
            eventually(lambda: late.get("/livez")[0] == 200, "alive", explain=late.tail)
            status, words = late.get("/readyz")
            assert 503 == status
            assert "serviceaccounts" in words
            proxy.stalled = False
            late.wait_ready()
    finally:
        proxy.stalled = False


def test_a_slow_api_server_costs_a_second_and_no_pod(site: Site, proxy: Proxy, webhook: Webhook) -> None:
    """While nothing comes through, known roles are given at once; an unknown one is waited for a second, not more."""
    site.account("unannotated", {})
    eventually(lambda: site.role("unannotated") == "", "known")
    proxy.stalled = True
    try:
        began = time.monotonic()
        assert ARN == site.role("app")
        assert "" == site.role("unannotated")
        assert time.monotonic() - began < 3 + 2
    finally:
        proxy.stalled = False
    assert any("live look failed" in entry["message"] for entry in webhook.entries())
    assert [] == [entry for entry in webhook.entries() if entry["level"] == "error"]
    eventually(lambda: site.role("app") == ARN, "afterwards")


def test_a_cut_watch_is_taken_up_again(site: Site, proxy: Proxy, webhook: Webhook) -> None:
    """What changed meanwhile is known without a live look."""
    site.account("cut", {})
    proxy.cut()
    site.annotate("cut", {"eks.amazonaws.com/role-arn": ARN})
    assert ARN == site.role("cut")
    eventually(lambda: site.role("cut") == ARN, "watched again", explain=webhook.tail)
    assert webhook.process.poll() is None


@pytest.mark.usefixtures("webhook")
def test_a_mirror_pod_comes_through(site: Site) -> None:
    """V13: a static pod has no ServiceAccount and may have no token, whatever role `default` is given."""
    site.annotate("default", {"eks.amazonaws.com/role-arn": ARN})
    eventually(lambda: site.role("default") == ARN, "the role of other pods")
    spec = {"nodeName": "node-1", "containers": [{"name": "app", "image": "example/app"}]}
    metadata = {"name": "static-node-1", "annotations": {"kubernetes.io/config.mirror": "0123"}}
    path = f"/api/v1/namespaces/{site.namespace}/pods?dryRun=All"
    made = site.api.client.create(path, {"metadata": metadata, "spec": spec})
    assert "volumes" not in made["spec"]


def test_bodies_up_to_the_api_servers_limit(site: Site, webhook: Webhook) -> None:
    """Three megabytes; by a dry run, since etcd would take half of it."""
    env = [{"name": f"V{number}", "value": "x" * 1000} for number in range(2900)]
    made = site.pod("app", env=env)
    assert len(env) + 2 == len(made["spec"]["containers"][0]["env"])
    with pytest.raises(ApiError, match="3145728"):
        site.pod("app", env=env * 2)
    assert webhook.process.poll() is None


def test_a_thousand_idle_connections_and_garbage_beside_real_reviews(site: Site, webhook: Webhook) -> None:
    """Over TLS; the API server notices nothing."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def connect(_: int) -> socket.socket:
        return context.wrap_socket(socket.create_connection(("127.0.0.1", webhook.port), 20))

    with ThreadPoolExecutor(16) as pool:
        idle = list(pool.map(connect, range(1000)))
    for each, junk in zip(idle, (b"\0" * 100, b"GET / HTTP/9\r\n\r\n", b"POST /mutate HTTP/1.1\r\nX"), strict=False):
        each.sendall(junk)
    assert [ARN] * 20 == [site.role("app") for _ in range(20)]
    for each in idle:
        each.close()


def test_slow_clients_beside_real_reviews(site: Site, webhook: Webhook) -> None:
    """A hundred whose handshakes, heads and bodies come a byte at a time."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    body = json.dumps(review(plain_pod())).encode()
    head = b"POST /mutate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    request, hello = head % len(body) + body, bytes.fromhex("160301020001000001fc0303") + bytes(32)
    with contextlib.ExitStack() as stack:
        plain = [stack.enter_context(socket.create_connection(("127.0.0.1", webhook.port), 20)) for _ in range(100)]
        secure = [stack.enter_context(context.wrap_socket(each)) for each in plain[:60]]
        for each in secure[30:]:
            each.sendall(request[:-20])
        seen = []
        for turn in range(19):
            for each in plain[60:]:
                each.sendall(hello[turn : turn + 1])
            for each in secure[:30]:
                each.sendall(request[turn : turn + 1])
            for each in secure[30:]:
                each.sendall(request[-20:][turn : turn + 1])
            seen.append(site.role("app"))
    assert [ARN] * 19 == seen
    assert webhook.process.poll() is None


def test_nothing_the_caller_does_wrong_is_a_denial(webhook: Webhook) -> None:
    """HTTP 400 with the Go webhook's words in the body, so that failurePolicy decides."""
    for body, words in (
        (b"", "bad content"),
        (b"{", "couldn't get version/kind"),
        (b'{"request":{"uid":"u"}}', "unexpected end"),
    ):
        status, answer = rules.ask(webhook.port, body)
        assert 400 == status
        assert words in json.loads(answer)["response"]["status"]["message"]


def test_metrics_and_one_line_a_decision(site: Site, webhook: Webhook) -> None:
    """Both families of names, and a log entry that says who, what and why."""
    before = len([entry for entry in webhook.entries() if entry.get("logger") == "webhook.admission"])
    site.role("app")
    made = [entry for entry in webhook.entries() if entry.get("logger") == "webhook.admission"][before:]
    assert [("pod mutated", "role", f"{site.namespace}/app")] == [
        (entry["message"], entry["reason"], entry["service_account"]) for entry in made
    ]
    text = webhook.get("/metrics")[1]
    for name in (
        'http_request_count{code="200",path="/mutate",verb="POST"}',
        "http_request_latencies_bucket",
        "http_request_duration_microseconds_sum",
        'pod_identity_webhook_pod_count{method="sts_web_identity"}',
        "pod_identity_webhook_missing_sa_count",
        "pod_identity_webhook_used 1.0",
        'irsa_admission_total{reason="role",result="mutated"}',
        "irsa_sa_live_gets_total",
    ):
        assert name in text


def test_rolling_update_under_load_misses_no_pod(apiserver: ApiServer, tmp_path: Path) -> None:
    """Two replicas behind one address, each replaced while pods are made; each that goes ends with exit code 0."""
    site = Site(apiserver, tmp_path)
    site.account("app")
    with contextlib.ExitStack() as stack:
        one, two = (stack.enter_context(site.webhook("--lame-duck=2s")) for _ in range(2))
        service = Proxy(one.port, two.port)
        site.register(service.port)
        one.wait_ready()
        two.wait_ready()
        seen: list[str] = []
        stop = threading.Event()

        def make_pods() -> None:
            while not stop.is_set():
                seen.append(site.role("app"))

        makers = [threading.Thread(target=make_pods) for _ in range(3)]
        for maker in makers:
            maker.start()
        try:
            for old in (one, two):
                new = stack.enter_context(site.webhook())
                new.wait_ready()
                service.targets.append(new.port)
                old.process.terminate()
                eventually(lambda old=old: not old.ready, "not ready any more")
                service.targets.remove(old.port)
                assert 0 == old.process.wait(30)
            after = len(seen)
            eventually(lambda: len(seen) > after + 20, "pods of the new replicas")
        finally:
            stop.set()
            for maker in makers:
                maker.join()
            service.close()
    assert {ARN} == set(seen)


def test_after_sigterm_nothing_is_written(apiserver: ApiServer, tmp_path: Path) -> None:
    """An uninstall deletes Secret and caBundle while we still serve: neither comes back."""
    site = Site(apiserver, tmp_path)
    with site.webhook("--lame-duck=8s", "--session-key-secret=key") as webhook:
        site.register(webhook.port)
        webhook.wait_ready()
        webhook.process.terminate()
        eventually(lambda: not webhook.ready, "not ready any more")
        for name in ("irsa-webhook-ca", "key"):
            apiserver.client.delete(f"/api/v1/namespaces/{site.namespace}/secrets/{name}")
        assert 0 == webhook.process.wait(30)
    assert [] == apiserver.client.get(f"/api/v1/namespaces/{site.namespace}/secrets")["items"]


def test_api_server_restarts_and_an_expired_watch(fresh_apiserver: FreshApiServer, tmp_path: Path) -> None:
    """What changed while it was away, and was compacted, is known afterwards: the watch is too old, so it lists."""
    with fresh_apiserver() as apiserver:  # type: ignore[attr-defined]
        site = Site(apiserver, tmp_path)
        site.account("app")
        site.account("later", {})
        with site.webhook("--live-lookup=never") as webhook:
            site.register(webhook.port)
            webhook.wait_ready()
            assert ["", ARN] == [site.role("later"), site.role("app")]
            apiserver.stop()
            fill(apiserver, site.namespace, 3, compact=True)
            apiserver.start()
            eventually(lambda: site.role("filled-2") == ARN, "watching again", explain=webhook.tail)
            assert ARN == site.role("app")
            assert webhook.process.poll() is None
            assert any(
                "too old" in entry["message"] or "listing again" in entry["message"] for entry in webhook.entries()
            )


def test_started_before_the_api_server(fresh_apiserver: FreshApiServer, tmp_path: Path) -> None:
    """As after a control plane's outage: it lives, says what is missing, and is there as soon as the API server is."""
    with fresh_apiserver() as apiserver:  # type: ignore[attr-defined]
        site = Site(apiserver, tmp_path)
        site.account("app")
        apiserver.stop()
        with site.webhook() as webhook:
            eventually(lambda: "serviceaccounts" in webhook.get("/readyz")[1], "reason", explain=webhook.tail)
            apiserver.start()
            site.register(webhook.port)
            webhook.wait_ready(60)
            assert ARN == site.role("app")


def test_an_api_server_that_stays_away_is_waited_for() -> None:
    """By kopf as by our own requests: its pauses have no end, and none is long."""
    for _ in range(2):  # each request begins anew
        pauses = list(itertools.islice(operator.kopf_settings(None).networking.error_backoffs, 1000))
        assert 1000 == len(pauses)
        assert (True, 5.0) == (pauses[0] < 1, max(pauses))


def test_fifty_thousand_service_accounts(fresh_apiserver: FreshApiServer, tmp_path: Path) -> None:
    """Ready only when all are known: the last one's pod gets its role without a live look."""
    with fresh_apiserver() as apiserver:  # type: ignore[attr-defined]
        site = Site(apiserver, tmp_path)
        fill(apiserver, site.namespace, 50_000)
        with site.webhook("--live-lookup=never", "--webhook-configuration-name=") as webhook:
            patched = []
            last = plain_pod(serviceAccountName="filled-49999")
            body = json.dumps(review(last, namespace=site.namespace)).encode()

            def answered() -> bool:
                with contextlib.suppress(OSError):
                    patched.append("patch" in json.loads(rules.ask(webhook.port, body)[1])["response"])
                return webhook.ready

            eventually(answered, "ready", 60, webhook.tail)
            assert answered()
            assert patched[-1]
            listed = next(entry for entry in webhook.entries() if entry["message"] == "ServiceAccounts listed")
            assert listed["total"] >= 50_000
            status = Path(f"/proc/{webhook.process.pid}/status").read_text()
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024  # type: ignore[index]
            assert peak <= 150, f"{peak} MiB at its peak"
