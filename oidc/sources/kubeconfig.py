"""The endpoint that a kubeconfig's current context names.

Certificates and tokens may stand in it or beside it. Plugins (`exec`, `auth-provider`) are refused: a server would run
a foreign program at every poll for two public documents; a ServiceAccount's token does instead.
"""

import base64
import os
from pathlib import Path
from typing import Any, Final

import yaml

from oidc.errors import ConfigError
from oidc.sources.apiserver import Endpoint

SIZE_LIMIT: Final = 4 << 20  # bytes


def endpoint_of(path: Path) -> Endpoint:
    """Read a kubeconfig.

    Raises:
        ConfigError: it cannot be read, names what it does not have, or needs a plugin.
    """
    try:
        text = path.read_text()
        config = yaml.safe_load(text[:SIZE_LIMIT])
        chosen = config["current-context"]
        context = _named(config["contexts"], chosen, "context")
        cluster = _named(config["clusters"], context["cluster"], "cluster")
        user = _named(config.get("users") or [], context.get("user", ""), "user") if context.get("user") else {}
        return _endpoint(path, cluster, user)
    except (OSError, yaml.YAMLError, ValueError) as problem:
        raise ConfigError(f"kubeconfig {path}: {problem}") from None
    except (KeyError, TypeError, AttributeError) as problem:
        raise ConfigError(f"kubeconfig {path}: no usable current context: {problem!r}") from None


def _named(entries: list[dict[str, Any]], name: str, kind: str) -> dict[str, Any]:
    for entry in entries:
        if entry["name"] == name:
            found = entry[kind]
            return dict(found) if found else {}
    raise ConfigError(f"kubeconfig: it has no {kind} {name!r}")


def _endpoint(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Endpoint:
    for plugin in ("exec", "auth-provider", "username"):
        if plugin in user:
            raise ConfigError(f"kubeconfig {path}: {plugin!r} is not supported; use a token or a client certificate")
    ca_data, ca_file = cluster.get("certificate-authority-data"), cluster.get("certificate-authority")
    return Endpoint(
        server=str(cluster["server"]),
        ca=_decoded(ca_data).decode("ascii") if ca_data else (path.parent / ca_file if ca_file else None),
        token=path.parent / user["tokenFile"] if user.get("tokenFile") else user.get("token"),
        identity=_identity(path, user),
        server_name=cluster.get("tls-server-name"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def _identity(path: Path, user: dict[str, Any]) -> tuple[Path, Path] | None:
    certificate, key = user.get("client-certificate-data"), user.get("client-key-data")
    if certificate and key:
        return _anonymous(_decoded(certificate)), _anonymous(_decoded(key))
    certificate, key = user.get("client-certificate"), user.get("client-key")
    return (path.parent / certificate, path.parent / key) if certificate and key else None


def _decoded(data: str) -> bytes:
    return base64.b64decode(data, validate=True)


def _anonymous(content: bytes) -> Path:
    # ssl reads files only; one in memory, open as long as the process lives, keeps the key off every disk.
    descriptor = os.memfd_create("kubeconfig", os.MFD_CLOEXEC)
    os.write(descriptor, content)
    return Path(f"/proc/self/fd/{descriptor}")
