"""A few lines of Kubernetes API client for the harness and its tests: paths in, decoded JSON out.

It is small on purpose: the code under test uses other clients, and a test should not pass because both share a bug.
"""

import base64
import http.client
import json
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server said no: `status` is the HTTP status, `body` its Status object."""

    def __init__(self, status: int, body: Mapping[str, Any], place: str) -> None:
        super().__init__(f"{place}: {status} {body.get('message', body)}")
        self.status = status
        self.body = body


class Client:
    """Requests to one API server with the credentials of one kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        name = config["current-context"]
        context = _named(config["contexts"], name)["context"]
        self.cluster = _named(config["clusters"], context["cluster"])["cluster"]
        self.user = _named(config["users"], context["user"])["user"]
        self.url = self.cluster["server"]
        self.ca = _data(self.cluster, "certificate-authority") or b""
        self._context = ssl.create_default_context(cadata=self.ca.decode())
        certificate = _data(self.user, "client-certificate")
        if certificate:
            with tempfile.NamedTemporaryFile() as pair:  # ssl reads files only
                pair.write(certificate + b"\n" + (_data(self.user, "client-key") or b""))
                pair.flush()
                self._context.load_cert_chain(pair.name)

    def raw(
        self, method: str, path: str, body: bytes | None = None, content_type: str = JSON, seconds: float = 30
    ) -> tuple[int, bytes]:
        """Status and body of one request, whatever they are."""
        place = urlsplit(self.url)
        assert place.hostname
        connection = http.client.HTTPSConnection(place.hostname, place.port, timeout=seconds, context=self._context)
        headers = {"content-type": content_type, "accept": f"{JSON}, */*"}
        if token := self.user.get("token"):
            headers["authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def request(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> Any:
        """The decoded answer.

        Raises:
            ApiError: the status is 400 or more.
        """
        status, answer = self.raw(method, path, None if body is None else json.dumps(body).encode(), content_type)
        try:
            decoded = json.loads(answer)
        except ValueError:
            decoded = answer.decode(errors="replace")
        if status >= http.client.BAD_REQUEST:
            raise ApiError(status, decoded if isinstance(decoded, dict) else {"message": decoded}, f"{method} {path}")
        return decoded

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def create(self, path: str, body: Any) -> Any:
        return self.request("POST", path, body)

    def replace(self, path: str, body: Any) -> Any:
        return self.request("PUT", path, body)

    def patch(self, path: str, body: Any, content_type: str = MERGE_PATCH) -> Any:
        return self.request("PATCH", path, body, content_type)

    def delete(self, path: str) -> Any:
        return self.request("DELETE", path)

    def token(self, namespace: str, name: str, audience: str = "sts.amazonaws.com", seconds: int = 3600) -> str:
        """A ServiceAccount's token, by TokenRequest: what kubelet does for a projected volume."""
        spec = {"audiences": [audience], "expirationSeconds": seconds}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)
        return str(answer["status"]["token"])


def kubeconfig(url: str, ca: bytes, user: Mapping[str, str]) -> str:
    """A kubeconfig with one context; `user` as kubeconfig has it (token, client-certificate-data, client-key-data)."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": url, "certificate-authority-data": base64_text(ca)}},
            ],
            "users": [{"name": "test", "user": dict(user)}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
    )


def base64_text(data: bytes) -> str:
    """Base64 as kubeconfig and Secrets hold it."""
    return base64.b64encode(data).decode()


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _data(entry: Mapping[str, str], key: str) -> bytes | None:
    if f"{key}-data" in entry:
        return base64.b64decode(entry[f"{key}-data"])
    return Path(entry[key]).read_bytes() if key in entry else None
