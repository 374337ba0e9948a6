"""The webhook as a process of its own against a real API server, and what stands between the two in a test."""

import base64
import contextlib
import http.server
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.cluster.apiserver import ApiServer, free_ports

ARN = "arn:aws:iam::111122223333:role/s3-reader"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


class Webhook:
    """A running webhook process; `started` makes one."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, metrics_port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.metrics_port = metrics_port
        self.log = log

    @property
    def ready(self) -> bool:
        """What `/readyz` says."""
        return self.get("/readyz")[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a GET on the metrics port; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self, seconds: float = 30) -> None:
        """Until it is ready, or with the end of its log."""
        eventually(lambda: self.ready or self.process.poll() is not None, "ready", seconds, self.tail)
        assert self.process.poll() is None, self.tail()

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def tail(self) -> str:
        """The end of what it logged, and why it is not ready."""
        return self.get("/readyz")[1] + "\n".join(self.log.read_text().splitlines()[-15:])

    def entries(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@contextlib.contextmanager
def started(
    kubeconfig: Path,
    folder: Path,
    *flags: str,
    port: int = 0,
    command: list[str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Webhook]:
    """A webhook process that lives as long as the body."""
    free = free_ports(2)
    port, metrics_port = port or free[0], free[1]
    log = folder / f"webhook-{port}-{time.monotonic_ns()}.log"
    arguments = [f"--kubeconfig={kubeconfig}", f"--port={port}", f"--metrics-port={metrics_port}", *flags]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IRSA_")} | dict(
        variables or {}
    )
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*(command or [sys.executable, "-m", "webhook"]), *arguments], stdout=stream, stderr=stream, env=environment
        )
    try:
        yield Webhook(process, port, metrics_port, log)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def metadata_service(instance: Mapping[str, str]) -> Iterator[str]:
    """EC2's instance metadata service, version 2, of an instance with `account_id` and `region`; gives its URL."""
    document = json.dumps({"accountId": instance["account_id"], "region": instance["region"]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(b"token" if self.path == "/latest/api/token" else b"")

        def do_GET(self) -> None:
            known = self.headers["X-aws-ec2-metadata-token"] == "token" and self.path.endswith(
                "/instance-identity/document"
            )
            self._answer(document if known else b"")

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, body: bytes) -> None:
            self.send_response(200 if body else 404)
            self.send_header("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Site:
    """A namespace, a webhook configuration for it alone, and the flags of a webhook that serves it."""

    def __init__(self, api: ApiServer, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.namespace = api.namespace()
        self.name = f"irsa-{self.namespace}"
        self.flags = (
            f"--namespace={self.namespace}",
            f"--webhook-configuration-name={self.name}",
            "--tls-dns-name=localhost",
            "--lame-duck=1s",
        )

    def register(self, port: int, policy: str = "Ignore") -> None:
        """Make the API server send us this namespace's pods."""
        webhook = {
            "name": "irsa.webhook.test",
            "clientConfig": {"url": f"https://localhost:{port}/mutate"},
            "failurePolicy": policy,
            "timeoutSeconds": 3,
            "sideEffects": "None",
            "reinvocationPolicy": "IfNeeded",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        }
        self.api.client.create(CONFIGURATIONS, {"metadata": {"name": self.name}, "webhooks": [webhook]})

    @property
    def bundle(self) -> bytes:
        """The live `caBundle`."""
        there = self.api.client.get(f"{CONFIGURATIONS}/{self.name}")
        return base64.b64decode(there["webhooks"][0]["clientConfig"].get("caBundle", ""))

    def account(self, name: str, annotations: Mapping[str, str] | None = None) -> None:
        """A ServiceAccount; with a role unless other annotations are given."""
        annotations = {"eks.amazonaws.com/role-arn": ARN} if annotations is None else annotations
        metadata = {"name": name, "annotations": dict(annotations)}
        self.api.client.create(f"/api/v1/namespaces/{self.namespace}/serviceaccounts", {"metadata": metadata})

    def annotate(self, name: str, annotations: Mapping[str, str | None]) -> None:
        """Change annotations of a ServiceAccount; None removes."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{name}"
        self.api.client.patch(path, {"metadata": {"annotations": dict(annotations)}})

    def pod(self, account: str, **container: Any) -> dict[str, Any]:
        """The pod that the API server makes of a plain one, by a dry run."""
        spec = {"serviceAccountName": account, "containers": [{"name": "app", "image": "example/app", **container}]}
        path = f"/api/v1/namespaces/{self.namespace}/pods?dryRun=All"
        return self.api.client.create(path, {"metadata": {"generateName": "app-"}, "spec": spec})

    def role(self, account: str) -> str:
        """The role that a new pod of the ServiceAccount gets; empty: none."""
        env = self.pod(account)["spec"]["containers"][0].get("env", [])
        return next((each["value"] for each in env if each["name"] == "AWS_ROLE_ARN"), "")

    def webhook(
        self, *flags: str, kubeconfig: Path | None = None, port: int = 0
    ) -> contextlib.AbstractContextManager[Webhook]:
        """A webhook process for this site."""
        return started(kubeconfig or self.api.kubeconfig, self.folder, *self.flags, *flags, port=port)


class Mount:
    """A folder as kubelet mounts a ConfigMap or Secret: files are links through `..data`, exchanged by a rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = 0

    def write(self, **files: str | bytes) -> None:
        """What it holds now, by the files' names."""
        version = self.folder / f"..version-{self._versions}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content.encode() if isinstance(content, str) else content)
            if not self._versions:
                (self.folder / name).symlink_to(f"..data/{name}")
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self.folder / "..data")
        self._versions += 1


class Proxy:
    """TCP between a client and whichever of `targets` is up; each new connection goes to the next one.

    Attributes:
        delay: seconds by which bytes from the target are held back.
        stalled: while set, nothing is passed on in either direction.
    """

    def __init__(self, *targets: int) -> None:
        self.targets = list(targets)
        self.delay = 0.0
        self.stalled = False
        self._turn = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """Stop listening and cut what is open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)
        for pair in self._pairs:
            for each in pair:
                each.close()

    def cut(self) -> None:
        """Cut every open connection."""
        for pair in list(self._pairs):
            for each in pair:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._turn += 1
                targets = list(self.targets)
                try:
                    target = socket.create_connection(("127.0.0.1", targets[self._turn % len(targets)]), 5)
                except (OSError, ZeroDivisionError):
                    client.close()
                    continue
                self._pairs.append((client, target))
                for one, other, slow in ((client, target, False), (target, client, True)):
                    self._start(self._pump, one, other, slow)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _pump(self, one: socket.socket, other: socket.socket, slow: bool) -> None:
        with contextlib.suppress(OSError):
            one.settimeout(None)
            while data := one.recv(65536):
                while self.stalled:
                    time.sleep(0.02)
                if slow and self.delay:
                    time.sleep(self.delay)
                other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def kubeconfig_through(kubeconfig: Path, port: int, folder: Path) -> Path:
    """The kubeconfig with the API server at another port of localhost."""
    place = folder / f"through-{port}.kubeconfig"
    place.write_text(re.sub(r"https://localhost:\d+", f"https://localhost:{port}", kubeconfig.read_text()))
    return place


def shown(port: int) -> bytes:
    """The certificate, PEM, that a port shows."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=5).encode()


def trusts(bundle: bytes, port: int) -> bool:
    """Whether a client that trusts just `bundle` accepts what a port shows, as the API server would decide."""
    context = ssl.create_default_context(cadata=bundle.decode() or None)
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            context.wrap_socket(plain, server_hostname="localhost").close()
    except ssl.SSLError:
        return False
    return True


def eventually(check: Callable[[], Any], what: str, seconds: float = 30, explain: Callable[[], str] = str) -> None:
    """Wait until `check` is true."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}\n{explain()}")
        time.sleep(0.05)
