"""Secrets that exist only with data: made by whoever comes first, read by the others.

A POST decides between replicas (409: another one won, its data holds), a resourceVersion between updates. Everything
carries an ownerReference to our Deployment, so that uninstalling the chart takes it all.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from irsa.runtime.logs import Log
from webhook.kube import Api, ApiError

log: Final = Log("webhook.secrets")

OPAQUE: Final = "Opaque"
TLS: Final = "kubernetes.io/tls"

NOT_FOUND: Final = 404
CONFLICT: Final = 409


class Secret(msgspec.Struct, frozen=True):
    """A Secret's data and the version that an update has to name."""

    data: Mapping[str, bytes]
    version: str

    def __repr__(self) -> str:
        return f"Secret({', '.join(self.data)})"


class Secrets:
    """The Secrets of one namespace.

    Args:
        owner: the Deployment that owns what is made; empty: nobody.
    """

    def __init__(self, api: Api, namespace: str, owner: str = "") -> None:
        self._api = api
        self._namespace = namespace
        self._owner = owner
        self._references: list[dict[str, Any]] | None = None

    async def keep(
        self, name: str, kind: str, make: Callable[[], Mapping[str, bytes]], good: Callable[[Mapping[str, bytes]], bool]
    ) -> Secret:
        """The Secret `name`; made where it is missing, made anew where its data is not `good`."""
        there = await self.read(name)
        if there is not None and good(there.data):
            return there
        if there is None:
            return await self._create(name, kind, make())
        return await self.update(name, kind, make(), there.version)

    async def read(self, name: str) -> Secret | None:
        """The Secret `name`, or None."""
        try:
            return _secret(await self._api.json("GET", f"{self._path}/{name}"))
        except ApiError as problem:
            if problem.status == NOT_FOUND:
                return None
            raise

    async def update(self, name: str, kind: str, data: Mapping[str, bytes], version: str) -> Secret:
        """Replace the data, if the Secret still is at `version`; if not, what it has become."""
        body = await self._body(name, kind, data)
        body["metadata"]["resourceVersion"] = version
        try:
            return self._done("Secret updated", name, await self._api.json("PUT", f"{self._path}/{name}", body=body))
        except ApiError as problem:
            if problem.status != CONFLICT:
                raise
        return await self._existing(name)

    async def _create(self, name: str, kind: str, data: Mapping[str, bytes]) -> Secret:
        try:
            made = await self._api.json("POST", self._path, body=await self._body(name, kind, data))
        except ApiError as problem:
            if problem.status != CONFLICT:
                raise
            return await self._existing(name)
        return self._done("Secret created", name, made)

    async def _existing(self, name: str) -> Secret:
        return _secret(await self._api.json("GET", f"{self._path}/{name}"))

    def _done(self, what: str, name: str, answer: Mapping[str, Any]) -> Secret:
        log.info(what, secret=f"{self._namespace}/{name}")
        return _secret(answer)

    async def _body(self, name: str, kind: str, data: Mapping[str, bytes]) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": kind,
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": {"app.kubernetes.io/managed-by": "irsa-webhook", "app.kubernetes.io/part-of": "irsa"},
                "ownerReferences": await self._owners(),
            },
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }

    async def _owners(self) -> list[dict[str, Any]]:
        if self._references is None:
            self._references = []
            if self._owner:
                path = f"/apis/apps/v1/namespaces/{self._namespace}/deployments/{self._owner}"
                try:
                    uid = (await self._api.json("GET", path))["metadata"]["uid"]
                except ApiError:
                    self._references = None
                    raise
                self._references = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": self._owner, "uid": uid}]
        return self._references

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self._namespace}/secrets"


def _secret(body: Mapping[str, Any]) -> Secret:
    data = {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}
    return Secret(data, body["metadata"]["resourceVersion"])
