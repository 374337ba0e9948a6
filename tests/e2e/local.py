"""irsa beside an API server alone: the chart's objects installed, the servers run as processes of this machine.

Without nodes no Deployment ever runs, so the processes are started here, each with the rights of its own ServiceAccount
as the chart grants them. The MutatingWebhookConfiguration is the chart's too, only that it names the webhook by URL.
"""

import base64
import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.apiserver import ApiServer, free_ports, serve
from tests.cluster.client import ApiError
from tests.cluster.shell import run
from tests.cluster.waiting import wait_until

ROOT = Path(__file__).parents[2]
NAMESPACE = "irsa-system"
ACCOUNT = "111122223333"
READY_SECONDS = 60.0
END_SECONDS = 15.0
# What this machine sets for its own clients must not leak into what is started here.
FOREIGN = ("AWS_", "IRSA_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Local:
    """A running set of the three servers and an S3 server behind the gateway.

    Attributes:
        api: the API server that they work with.
        sts_url, oidc_url: where the servers listen; `oidc_url` is the issuer of the API server's tokens.
        logs: component -> the file that holds its log.
    """

    def __init__(self, api: ApiServer, folder: Path, ports: Mapping[str, int]) -> None:
        self.api = api
        self.folder = folder
        self.ports = ports
        self.oidc_url = f"https://localhost:{ports['oidc']}"
        self.sts_url = f"https://localhost:{ports['sts']}"
        self.logs = {name: folder / f"{name}.log" for name in ("webhook", "oidc", "sts", "s3")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a component, and wait until it says that it is ready."""
        with self.logs[name].open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self._command(name), stdout=log, stderr=log, cwd=ROOT, env=environment()
            )
        self._wait(f"{name} is ready", lambda: self._ready(name), name)

    def stop(self, name: str) -> int:
        """End a component with SIGTERM; returns its exit code."""
        process = self._processes.pop(name)
        process.terminate()
        return process.wait(END_SECONDS)

    def close(self) -> None:
        """End what still runs."""
        for name in list(self._processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop(name)

    def keys_from_secrets(self) -> None:
        """Write what the webhook keeps in Secrets to where kubelet would mount it."""
        for secret, folder in (
            ("irsa-oidc-tls", "oidc-tls"),
            ("irsa-sts-tls", "sts-tls"),
            ("irsa-sts-session-key", "session-key"),
        ):
            place = self.folder / folder
            place.mkdir(exist_ok=True)
            for name, value in self._secret(secret).items():
                (place / name).write_bytes(base64.b64decode(value))

    def _secret(self, name: str) -> dict[str, str]:
        path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}"
        found: dict[str, str] = {}

        def there() -> bool:
            with contextlib.suppress(ApiError):
                found.update(self.api.client.get(path)["data"])
            return bool(found)

        self._wait(f"Secret {name} is written", there, "webhook")
        return found

    def _wait(self, what: str, happened: Callable[[], bool], component: str) -> None:
        """Wait, and show the end of the component's log where it is in vain."""
        wait_until(what, happened, READY_SECONDS, lambda: self.logs[component].read_text(errors="replace")[-3000:])

    def _ready(self, name: str) -> bool:
        if (code := self._processes[name].poll()) is not None:
            raise AssertionError(f"{name} ended with exit code {code}:\n{self.logs[name].read_text()[-3000:]}")
        path = "moto-api/" if name == "s3" else "readyz"
        port = self.ports["s3" if name == "s3" else f"{name}-metrics"]
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=2).status == 200)
        return False

    def _command(self, name: str) -> list[str]:
        if name == "s3":
            return [sys.executable, "-m", "moto.server", "--host=127.0.0.1", f"--port={self.ports['s3']}"]
        common = [f"--port={self.ports[name]}", f"--metrics-port={self.ports[name + '-metrics']}", "--lame-duck=0s"]
        return [sys.executable, "-m", "irsa", name, *common, *getattr(self, f"_{name}_options")()]

    def _webhook_options(self) -> list[str]:
        return [
            f"--kubeconfig={self.api.service_account(NAMESPACE, 'irsa-webhook')}",
            f"--namespace={NAMESPACE}",
            "--tls-dns-name=localhost",
            "--serving-secret=irsa-oidc-tls=localhost",
            "--serving-secret=irsa-sts-tls=localhost",
            "--session-key-secret=irsa-sts-session-key",
            f"--sts-endpoint-url={self.sts_url}",
            f"--s3-endpoint-url={self.sts_url}",
            "--aws-default-region=us-east-1",
        ]

    def _oidc_options(self) -> list[str]:
        tls = self.folder / "oidc-tls"
        account = self.api.service_account(NAMESPACE, "irsa-oidc")
        return [f"--kubeconfig={account}", f"--tls-cert={tls}/tls.crt", f"--tls-key={tls}/tls.key"]

    def _sts_options(self) -> list[str]:
        tls = self.folder / "sts-tls"
        return [
            f"--accounts={self.folder}/accounts.yaml",
            f"--tls-cert={tls}/tls.crt",
            f"--tls-key={tls}/tls.key",
            f"--session-key-file={self.folder}/session-key/key",
            f"--upstream=s3=http://127.0.0.1:{self.ports['s3']}",
        ]


@contextlib.contextmanager
def install(folder: Path, accounts: Path, buckets: tuple[str, ...]) -> Iterator[Local]:
    """An API server whose issuer we publish, and irsa beside it, for as long as the body lasts.

    Args:
        folder: empty, of its own.
        accounts: the account file as for a kind cluster; issuer and CA are put in place here.
        buckets: made in the S3 server behind the gateway.
    """
    names = [*(f"{name}{part}" for name in ("webhook", "oidc", "sts") for part in ("", "-metrics")), "s3"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    issuer = f"https://localhost:{ports['oidc']}"
    flags: dict[str, str | list[str]] = {
        "service-account-issuer": issuer,
        "service-account-jwks-uri": f"{issuer}/openid/v1/jwks",
    }
    binaries.build((*binaries.API_SERVER, "helm"))
    (folder / "api").mkdir()
    with serve(folder / "api", flags) as api:
        local = Local(api, folder, ports)
        write_accounts(accounts, folder, ports["oidc"])
        install_chart(api, accounts, ports["webhook"])
        try:
            local.start("s3")
            for bucket in buckets:
                make_bucket(ports["s3"], bucket)
            local.start("webhook")
            local.keys_from_secrets()
            local.start("oidc")
            local.start("sts")
            yield local
        finally:
            local.close()


def make_bucket(port: int, name: str) -> None:
    """A bucket of the account file's account in the S3 server, made behind the gateway's back as its administrator."""
    owner = {"x-moto-account-id": ACCOUNT}  # moto's own header; the gateway sets it from the caller's session
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{name}", method="PUT", headers=owner)
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def write_accounts(accounts: Path, folder: Path, port: int) -> None:
    """The account file for an issuer on localhost."""
    text = accounts.read_text().replace("irsa-oidc.irsa-system.svc", f"localhost:{port}")
    (folder / "accounts.yaml").write_text(text.replace("/etc/irsa/tls/ca.crt", str(folder / "oidc-tls" / "ca.crt")))


def install_chart(api: ApiServer, accounts: Path, port: int) -> None:
    """The chart's objects; nothing runs its Deployments, so the webhook is reached at a port of this machine."""
    chart = ROOT / "charts" / "irsa"
    api.namespace(NAMESPACE)
    command = [f"--kubeconfig={api.kubeconfig}", f"--namespace={NAMESPACE}", f"--values={chart}/values-local.yaml"]
    command.append(f"--set-file=sts.accountsFile={accounts}")
    run(binaries.find("helm"), "install", "irsa", chart, *command, seconds=60)
    client = {"url": f"https://localhost:{port}/mutate"}
    patch = [{"op": "replace", "path": "/webhooks/0/clientConfig", "value": client}]
    api.kubectl("patch", "mutatingwebhookconfiguration", "irsa-webhook", "--type=json", f"--patch={json.dumps(patch)}")


MOTO = {"MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS": "false"}  # as the chart has it


def environment() -> dict[str, str]:
    """Ours, without what would change whom a client trusts or where it goes, and with Kubernetes' service links.

    The chart turns those off. Where they are on all the same, `IRSA_STS_PORT` and the like are no options of ours.
    """
    links = {
        f"IRSA_{name}_{variable}": value
        for name in ("WEBHOOK", "OIDC", "STS")
        for variable, value in (("PORT", "tcp://10.96.0.9:443"), ("SERVICE_HOST", "10.96.0.9"), ("SERVICE_PORT", "443"))
    }
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)} | links | MOTO
