"""The real `irsa oidc` process, and a client of its two ports."""

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import trustme
from aiohttp import ClientResponse, ClientSession, TCPConnector

PATIENCE = 90  # seconds; nothing here takes two on a quiet machine, and a busy one proves nothing by being slow


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Wait until a condition holds; it is asked again and again."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.1)


class Process:
    """A running server: where it listens, what it logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ports: dict[str, int] = {}
        self.log: list[dict[str, Any]] = []
        self.other: list[str] = []
        self._logged = asyncio.Condition()

    async def read(self) -> None:
        """Follow its log to the end."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._logged:
                self._take(line.decode())
                self._logged.notify_all()

    def _take(self, line: str) -> None:
        if not line.startswith("{"):
            self.other.append(line)
            return
        entry = json.loads(line)
        self.log.append(entry)
        if entry["message"] == "listening":
            self.ports[entry["what"]] = entry["port"]

    async def said(self, message: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """The `count`th line with that message and those fields; waits for it."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [e for e in self.log if e["message"] == message and fields.items() <= e.items()]
            return len(found) >= count

        try:
            async with asyncio.timeout(PATIENCE), self._logged:
                await self._logged.wait_for(there)
        except TimeoutError:
            raise AssertionError(f"never said {message!r} {fields}: {self.log} {self.other[-20:]}") from None
        return found[count - 1]

    async def metrics(self, path: str = "/metrics") -> tuple[int, str]:
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{self.ports['metrics']}{path}") as answer:
            return answer.status, await answer.text()

    async def sample(self, name: str) -> float:
        """One sample of the metrics, by its whole name with labels."""
        for line in (await self.metrics())[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no sample {name}")


class Client:
    """HTTPS to the documents' port."""

    def __init__(self, session: ClientSession, port: int, scheme: str) -> None:
        self._session, self._base = session, f"{scheme}://localhost:{port}"

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[ClientResponse, bytes]:
        async with self._session.request(
            method,
            self._base + path,
            headers={k.replace("_", "-"): v for k, v in headers.items()},
            allow_redirects=False,
        ) as answer:
            return answer, await answer.read()


def certificate(authority: trustme.CA, folder: Path, *names: str) -> tuple[str, str]:
    """Options for a certificate out of `folder`."""
    leaf = authority.issue_cert(*(names or ("localhost",)))
    (folder / "tls.crt").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    (folder / "tls.key").write_bytes(leaf.private_key_pem.bytes())
    return f"--tls-cert={folder}/tls.crt", f"--tls-key={folder}/tls.key"


def started(*options: str, python: tuple[str, ...] = (), **environment: str) -> AbstractAsyncContextManager[Process]:
    """`irsa oidc` on a free port."""
    return launched("oidc", "--port=0", *options, python=python, **environment)


@contextlib.asynccontextmanager
async def launched(*command: str, python: tuple[str, ...] = (), **environment: str) -> AsyncIterator[Process]:
    """A server of the `irsa` command on loopback; it is ended by SIGTERM and must then exit with 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *python, "-m", "irsa", *command, "--metrics-port=0", "--host=127.0.0.1", "--lame-duck=0s",
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        limit=1 << 20,
    )  # fmt: skip
    running = Process(process)
    reading = asyncio.create_task(running.read())
    try:
        yield running
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert 0 == await process.wait(), (running.log, running.other)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


@contextlib.asynccontextmanager
async def client(process: Process, authority: trustme.CA | None) -> AsyncIterator[Client]:
    """A client that keeps its connection; without an authority it speaks plain HTTP."""
    await process.said("listening", what="documents")
    context = ssl.create_default_context()
    if authority:
        authority.configure_trust(context)
    async with ClientSession(connector=TCPConnector(ssl=context)) as session:
        yield Client(session, process.ports["documents"], "https" if authority else "http")
