"""The API server: where it is, who we are, and JSON requests to it with a deadline.

In a cluster that is the mounted ServiceAccount, whose token is read anew as it is renewed; outside it a kubeconfig.
"""

import base64
import os
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import msgspec
import yaml

MOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_SECONDS: Final = 60.0  # how long a token that was read from a file is used before the file is read again
DEADLINE: Final = 10.0  # seconds for a request that is not a watch


class ConfigError(Exception):
    """The operator's fault: names the file, the key and what would be right."""


class ApiError(Exception):
    """The API server's answer that is no 2xx.

    Attributes:
        status: the HTTP status.
        reason: the `reason` of the Status object, such as `Expired` or `NotFound`.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason


@dataclass
class Access:
    """How to reach an API server.

    Attributes:
        server: its URL, no slash at the end.
        token_file: where the bearer token stands; read again every `TOKEN_SECONDS`.
    """

    server: str
    ca_pem: str = ""
    certificate: tuple[bytes, bytes] | None = None
    token: str = ""
    token_file: Path | None = None
    insecure: bool = False
    namespace: str = ""
    _read_at: float = field(default=-TOKEN_SECONDS, repr=False)

    def authorization(self) -> dict[str, str]:
        """The header that says who we are; none for a client certificate."""
        if self.token_file is not None and time.monotonic() - self._read_at >= TOKEN_SECONDS:
            self.token = self.token_file.read_text().strip()
            self._read_at = time.monotonic()
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def context(self) -> ssl.SSLContext:
        """TLS as this access wants it."""
        context = ssl.create_default_context(cadata=self.ca_pem or None)
        # Cluster authorities made by older tools lack the key identifiers that strict verification asks for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate is not None:
            _load_pair(context, *self.certificate)
        return context


def in_cluster(mount: Path = MOUNT) -> Access:
    """The access of the pod that we run in.

    Raises:
        ConfigError: there is no ServiceAccount mounted.
    """
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (mount / "token").exists():
        raise ConfigError(f"not in a cluster ({mount}/token is missing): give --kubeconfig or --kube-api")
    host = f"[{host}]" if ":" in host else host
    return Access(
        server=f"https://{host}:{port}",
        ca_pem=(mount / "ca.crt").read_text(),
        token_file=mount / "token",
        namespace=(mount / "namespace").read_text().strip(),
    )


def from_kubeconfig(path: Path, server: str = "") -> Access:
    """The access of a kubeconfig's current context; `server` replaces the address that stands there.

    Raises:
        ConfigError: the file cannot be read, or wants a plug-in that we do not run.
    """
    try:
        config = yaml.safe_load(path.read_text())
        context = _named(config, "contexts", config["current-context"], path)["context"]
        cluster = _named(config, "clusters", context["cluster"], path)["cluster"]
        user = _named(config, "users", context["user"], path)["user"] or {}
    except (OSError, yaml.YAMLError, KeyError, TypeError) as problem:
        raise ConfigError(f"{path} is no kubeconfig with a current context: {problem}") from problem
    for plugin in ("exec", "auth-provider"):
        if plugin in user:
            raise ConfigError(f"{path}: users[].user.{plugin} is not supported; use a client certificate or a token")
    certificate = _bytes(user, "client-certificate", path)
    return Access(
        server=(server or str(cluster["server"])).rstrip("/"),
        ca_pem=_bytes(cluster, "certificate-authority", path).decode(),
        certificate=(certificate, _bytes(user, "client-key", path)) if certificate else None,
        token=user.get("token", ""),
        token_file=path.parent / user["tokenFile"] if "tokenFile" in user else None,
        insecure=bool(cluster.get("insecure-skip-tls-verify", False)),
        namespace=context.get("namespace", ""),
    )


class Api:
    """JSON requests to the API server."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self.access.context(), limit=64)
        self._session = aiohttp.ClientSession(connector=connector, headers={"User-Agent": "irsa-webhook"})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def raw(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        deadline: float = DEADLINE,
    ) -> bytes:
        """The bytes of a 2xx answer.

        Raises:
            ApiError: any other status.
            aiohttp.ClientError, TimeoutError: no answer.
        """
        data = None if body is None else msgspec.json.encode(body)
        timeout = aiohttp.ClientTimeout(total=deadline)
        async with self._request(
            method, path, params, data=data, content_type=content_type, timeout=timeout
        ) as response:
            content: bytes = await response.read()
            if not response.ok:
                raise _error(response.status, content)
            return content

    async def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401 -- those of `raw`
        """The object of a 2xx answer."""
        return msgspec.json.decode(await self.raw(method, path, **options), type=dict[str, Any])

    def stream(self, path: str, params: dict[str, str], *, silence: float) -> Any:  # noqa: ANN401 -- aiohttp's context manager
        """A GET whose answer is read as it comes; over when nothing comes for `silence` seconds."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=DEADLINE, sock_read=silence)
        return self._request("GET", path, params, timeout=timeout)

    def _request(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None,
        *,
        data: bytes | None = None,
        content_type: str = "",
        timeout: aiohttp.ClientTimeout,
    ) -> Any:  # noqa: ANN401 -- aiohttp's context manager
        assert self._session is not None  # noqa: S101 -- entered by `async with`
        # Compressed, a list costs the API server and us more time than the network in between.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **self.access.authorization()}
        if data is not None:
            headers["Content-Type"] = content_type
        return self._session.request(
            method, self.access.server + path, params=params, data=data, headers=headers, timeout=timeout
        )


def _error(status: int, content: bytes) -> ApiError:
    try:
        body = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        body = {"message": content[:200].decode(errors="replace")}
    return ApiError(status, str(body.get("reason", "")), str(body.get("message", "")))


def _named(config: dict[str, Any], key: str, name: str, path: Path) -> dict[str, Any]:
    for each in config.get(key) or ():
        if each.get("name") == name:
            return dict(each)
    raise ConfigError(f"{path}: {key} has no entry named {name!r}")


def _bytes(section: dict[str, Any], key: str, path: Path) -> bytes:
    if section.get(f"{key}-data"):
        return base64.b64decode(section[f"{key}-data"])
    if section.get(key):
        return (path.parent / str(section[key])).read_bytes()
    return b""


def _load_pair(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, chain.rstrip() + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
