"""etcd and kube-apiserver on loopback, and nothing else: a real API server in three seconds.

Real are admission, RBAC, TokenRequest, discovery and watches. There are no controllers and no nodes, so `namespace`
makes what every namespace has on a whole cluster: the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`.
Webhooks are registered by `clientConfig.url`, at a loopback address.
"""

import contextlib
import itertools
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.cluster import binaries, pki
from tests.cluster.client import ApiError, Client, base64_text, kubeconfig
from tests.cluster.problems import ClusterError
from tests.cluster.shell import run

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
# A test run that is killed must not leave servers behind.
_DIE_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []


class ApiServer:
    """A running API server; `serve` makes one.

    Attributes:
        url: its address, `https://localhost:PORT`.
        issuer: the `iss` of its tokens; the same unless a flag says otherwise.
        ca: the certificate, PEM, that signed its serving certificate.
        kubeconfig: of a member of system:masters.
        folder: keys, certificates and logs (`kube-apiserver.log`, `etcd.log`).
        client: requests as that administrator.
    """

    def __init__(self, folder: Path, flags: Mapping[str, str | list[str]], signing_keys: list[bytes]) -> None:
        self.folder = folder
        self._flags = flags
        self._port, self._etcd_port, peer_port = free_ports(3)
        self.url = f"https://localhost:{self._port}"
        issuer = flags.get("service-account-issuer", self.url)
        self.issuer = issuer if isinstance(issuer, str) else issuer[0]
        self._authority = pki.Authority()
        self.ca = self._authority.certificate
        self._write_files(signing_keys)
        self._number = itertools.count(1)
        self.kubeconfig = self.user("admin", "system:masters")
        self.client = Client(self.kubeconfig)
        self._etcd = self._spawn("etcd", self._etcd_flags(peer_port))
        self._process: subprocess.Popen[bytes] | None = None

    # -- its life

    def start(self) -> None:
        """Start kube-apiserver and wait until it is ready.

        Raises:
            ClusterError: it ended or is not ready within a minute; with the end of its log.
        """
        self._process = self._spawn("kube-apiserver", self._api_flags())
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "kube-apiserver.log").read_text(errors="replace").splitlines()[-20:]
                raise ClusterError("kube-apiserver does not become ready:\n" + "\n".join(log))
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End kube-apiserver; etcd, and so all objects, stay."""
        if self._process:
            _end(self._process)
            self._process = None

    def restart(self) -> None:
        """`stop`, then `start`, on the same address with the same keys and objects."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End both programs."""
        self.stop()
        _end(self._etcd)

    # -- what tests do with it

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What `kubectl ARGUMENTS` prints, as the administrator."""
        return run(binaries.find("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments, stdin=stdin, seconds=60)

    def token(self, namespace: str, name: str, audience: str = "sts.amazonaws.com", seconds: int = 3600) -> str:
        """A token of a ServiceAccount, signed by this server."""
        return self.client.token(namespace, name, audience, seconds)

    def namespace(self, name: str | None = None) -> str:
        """A namespace with what every namespace has; named after a counter where no name is given."""
        name = name or f"test-{next(self._number)}"
        with _already_there_is_fine():
            self.client.create("/api/v1/namespaces", {"metadata": {"name": name}})
        with _already_there_is_fine():
            self.client.create(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        root = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": self.ca.decode()}}
        with _already_there_is_fine():
            self.client.create(f"/api/v1/namespaces/{name}/configmaps", root)
        return name

    def user(self, name: str, *groups: str) -> Path:
        """A kubeconfig of a user with no more rights than RBAC gives to the name and the groups."""
        pair = self._authority.client(name, *groups)
        certificate = {"client-certificate-data": base64_text(pair.certificate)}
        return self._kubeconfig(name, {**certificate, "client-key-data": base64_text(pair.key)})

    def service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig of a ServiceAccount, with the rights of a pod that runs under it."""
        token = self.client.token(namespace, name, self.issuer)
        return self._kubeconfig(f"{namespace}-{name}", {"token": token})

    # -- how it is made

    def _kubeconfig(self, name: str, user: Mapping[str, str]) -> Path:
        place = self.folder / f"{name.replace(':', '-')}.kubeconfig"
        place.write_text(kubeconfig(self.url, self.ca, user))
        place.chmod(0o600)
        return place

    def _write_files(self, signing_keys: list[bytes]) -> None:
        pair = self._authority.server("localhost", "127.0.0.1", "kubernetes.default.svc")
        files = {"ca.crt": self.ca, "server.crt": pair.certificate, "server.key": pair.key}
        for number, key in enumerate(signing_keys):
            files |= {f"sa-{number}.key": key, f"sa-{number}.pub": pki.public_key(key)}
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
            (self.folder / name).chmod(0o600)

    def _etcd_flags(self, peer_port: int) -> dict[str, str | list[str]]:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{peer_port}"
        return {
            "data-dir": str(self.folder / "etcd"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": "true",  # nothing here outlives the test
            "log-level": "warn",
        }

    def _api_flags(self) -> dict[str, str | list[str]]:
        keys = sorted(str(path) for path in self.folder.glob("sa-*.pub"))
        return {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "bind-address": "127.0.0.1",
            "secure-port": str(self._port),
            "endpoint-reconciler-type": "none",  # a loopback address cannot be anybody's endpoint
            "client-ca-file": str(self.folder / "ca.crt"),
            "tls-cert-file": str(self.folder / "server.crt"),
            "tls-private-key-file": str(self.folder / "server.key"),
            "authorization-mode": "RBAC",
            "service-cluster-ip-range": "10.96.0.0/16",
            "service-account-issuer": self.issuer,
            "service-account-signing-key-file": str(self.folder / "sa-0.key"),
            "service-account-key-file": keys,
            **self._flags,
        }

    def _spawn(self, program: str, flags: Mapping[str, str | list[str]]) -> subprocess.Popen[bytes]:
        values = [(name, [value] if isinstance(value, str) else value) for name, value in flags.items()]
        arguments = [f"--{name}={each}" for name, several in values for each in several]
        with (self.folder / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [*_DIE_WITH_US, binaries.find(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def _is_ready(self) -> bool:
        try:
            return self.client.raw("GET", "/readyz", seconds=5)[0] == 200
        except OSError:
            return False


@contextlib.contextmanager
def serve(
    folder: Path, flags: Mapping[str, str | list[str]] | None = None, signing_keys: list[bytes] | None = None
) -> Iterator[ApiServer]:
    """An API server that lives as long as the body, with its files in `folder`.

    Args:
        folder: empty, of its own.
        flags: of kube-apiserver, without dashes, beside or instead of ours; a list is a flag given several times.
        signing_keys: private PEM keys; the first signs tokens, all of them verify. Made up where none is given.
    """
    server = ApiServer(folder, flags or {}, signing_keys or [pki.signing_key()])
    try:
        server.start()
        for namespace in ("default", "kube-system"):
            server.namespace(namespace)
        yield server
    finally:
        server.close()


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nothing listens on now; all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:  # kube-apiserver waits for watches to end
        process.kill()
        process.wait()


@contextlib.contextmanager
def _already_there_is_fine() -> Iterator[None]:
    try:
        yield
    except ApiError as problem:
        if problem.status != 409:
            raise
