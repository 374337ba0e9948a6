"""What the tests on an API server share: the chart's own rights, and a stand-in for kubelet."""

import asyncio
import contextlib
import http.client
import json
import os
import sys
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from irsa.cli import main
from oidc import record
from tests.chart.helm import install, render
from tests.cluster.apiserver import ApiServer

NAMESPACE = "irsa-system"
RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def install_rights(server: ApiServer) -> None:
    """The ServiceAccounts and rights of the chart's oidc and keys, the ledger's owner, nothing else."""
    server.namespace(NAMESPACE)
    objects = [
        each
        for each in render(install({"keys.enabled": True}))
        if each["metadata"]["name"].startswith(("irsa-oidc", "irsa-keys"))
        and (each["kind"] in RIGHTS or (each["kind"], each["metadata"]["name"]) == ("Deployment", "irsa-keys"))
    ]
    server.kubectl("apply", f"--namespace={NAMESPACE}", "--filename=-", stdin=yaml.safe_dump_all(objects))


def keeper_arguments(server: ApiServer, *more: str) -> list[str]:
    """`irsa keys run` as the chart starts it, but outside of a pod: a certificate makes it its ServiceAccount."""
    user = server.user(f"system:serviceaccount:{NAMESPACE}:irsa-keys", "system:serviceaccounts", "system:authenticated")
    return [
        "keys", "run", f"--ledger-kubeconfig={user}", f"--namespace={NAMESPACE}", "--owner-deployment=irsa-keys",
        f"--kube-api={server.url}", f"--kube-ca-file={server.folder}/ca.crt", *more,
    ]  # fmt: skip


async def irsa(*arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of a command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "irsa", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ},
    )  # fmt: skip
    out, err = await process.communicate(stdin or b"")
    return process.returncode or 0, out.decode(), err.decode()


async def keys(server: ApiServer, *arguments: str | Path) -> Any:
    """What `irsa keys ARGUMENTS -o json` prints, as the administrator; it must succeed.

    Called within this process: to import the client of Kubernetes takes longer than all that a command does.
    """
    where = (f"--kubeconfig={server.kubeconfig}", f"--namespace={NAMESPACE}", "--output=json")
    command = [str(argument) for argument in ("keys", *arguments, *where)]
    done = await asyncio.to_thread(CliRunner().invoke, main, command)
    assert 0 == done.exit_code, (done.output, done.exception)
    return json.loads(done.stdout)


async def states(server: ApiServer) -> dict[str, str]:
    """Kid → state, as the ConfigMap has it; empty before there is one."""
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/irsa-keys"
    status, body = await asyncio.to_thread(server.client.raw, "GET", path)
    if status != HTTPStatus.OK:
        return {}
    kept = record.decode(json.loads(body)["data"][record.FILE].encode(), path)
    return {kid: str(entry.state) for each in kept.issuers.values() for kid, entry in each.entries.items()}


@contextlib.asynccontextmanager
async def mounted(server: ApiServer, folder: Path, seconds: float = 0.3) -> AsyncIterator[Path]:
    """What kubelet does for an optional ConfigMap volume: the ledger's file, a moment after it changed."""

    def look() -> None:
        status, body = server.client.raw("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/irsa-keys", seconds=3)
        if status == 200:
            (folder / "new").write_text(json.loads(body)["data"]["ledger.json"])
            (folder / "new").rename(folder / "ledger.json")

    async def follow() -> None:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):  # it may be cut off while it answers
                await asyncio.to_thread(look)
            await asyncio.sleep(seconds)

    following = asyncio.create_task(follow())
    try:
        yield folder
    finally:
        following.cancel()
