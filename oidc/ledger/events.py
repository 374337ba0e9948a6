"""Events on ConfigMap `irsa-keys`: what `kubectl describe configmap irsa-keys` tells of keys and refusals."""

import os
from datetime import UTC, datetime
from typing import Any, Final

from kubernetes import client

from irsa.runtime.logs import Log
from oidc.errors import OIDCError
from oidc.ledger.store import NAME, call

log: Final = Log("oidc.ledger.events")

MESSAGE_LIMIT: Final = 1024  # characters, the API's own


class Events:
    """What writes them; a failure is logged, never raised: an Event is told to people, nothing depends on it."""

    def __init__(self, api: Any, namespace: str) -> None:  # noqa: ANN401 -- kubernetes carries no types
        self._core, self._namespace = client.CoreV1Api(api), namespace

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Write one Event."""
        time = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        about = {"apiVersion": "v1", "kind": "ConfigMap", "name": NAME, "namespace": self._namespace}
        event = {
            "metadata": {"generateName": f"{NAME}.", "namespace": self._namespace},
            "involvedObject": about,
            "reason": reason,
            "message": message[:MESSAGE_LIMIT],
            "type": "Warning" if warning else "Normal",
            "source": {"component": NAME, "host": os.uname().nodename},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }
        try:
            call(self._core.create_namespaced_event, self._namespace, event)
        except OIDCError as problem:
            log.warning("event not written", event=reason, reason=str(problem))
