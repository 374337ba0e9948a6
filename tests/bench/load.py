"""The load: N keep-alive connections that send one request over and over, in a process of their own.

`python -m tests.bench.load` reads a job (JSON) from standard input and prints what it saw (JSON). It spends as little
as it can, since it shares the machine with the server: prepared bytes out, llhttp in, nothing decoded.
"""

import asyncio
import json
import ssl
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, job: "Job") -> None:
        self.job = job
        self.parser = httptools.HttpResponseParser(self)
        self.transport: Any = None
        self.began = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def send(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.job.request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.job.answered(self, self.parser.get_status_code(), time.perf_counter() - self.began)

    def connection_lost(self, _: Exception | None) -> None:
        self.job.lost()


class Job:
    """What is to be sent where, and what was seen."""

    def __init__(
        self,
        url: str,
        method: str,
        headers: dict[str, str],
        body: str,
        status: int,
        *,
        reconnects: bool = False,
        renews: bool = False,
        **_: object,
    ) -> None:
        place = urlsplit(url)
        self.host, self.port, self.tls = place.hostname, place.port, place.scheme == "https"
        payload = body.encode()
        path = place.path + (f"?{place.query}" if place.query else "")
        lines = {"Host": place.netloc, **headers, "Content-Length": str(len(payload))}
        head = f"{method} {path or '/'} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.request = head.encode() + b"\r\n" + payload
        self.status = status
        self.times: list[float] = []
        self.wrong: dict[int, int] = {}
        self.ended = asyncio.Event()
        self.open = 0
        self.closing = False
        self.reconnects = reconnects
        self.renews = renews
        self.tasks: set[asyncio.Task[None]] = set()

    def answered(self, connection: Connection, status: int, seconds: float) -> None:
        self.times.append(seconds)
        if status != self.status:
            self.wrong[status] = self.wrong.get(status, 0) + 1
        if self.closing or self.reconnects:
            connection.transport.close()
        else:
            connection.send()

    def lost(self) -> None:
        if (self.reconnects or self.renews) and not self.closing:
            self.tasks.add(asyncio.get_running_loop().create_task(self.again()))
            return
        self.open -= 1
        if not self.closing:
            self.wrong[0] = self.wrong.get(0, 0) + 1
        if self.open == 0:
            self.ended.set()

    async def again(self) -> None:
        """A new connection for a server that keeps none."""
        self.tasks = {task for task in self.tasks if not task.done()}
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self), self.host, self.port
        )
        connection.send()


async def run(job: Job, connections: int, seconds: float) -> dict[str, Any]:
    """Send for so many seconds over so many connections."""
    context = None
    if job.tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the certificate is not what is measured
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(job), job.host, job.port, ssl=context)
        for _ in range(connections)
    ]
    job.open = connections
    began = time.perf_counter()
    for _, connection in made:
        connection.send()
    await asyncio.sleep(seconds)
    job.closing = True
    took = time.perf_counter() - began
    await asyncio.wait_for(job.ended.wait(), 30)
    return {"seconds": took, "times": job.times, "wrong": job.wrong}


def main() -> None:
    """Do the job that stands in standard input."""
    order = json.load(sys.stdin)
    body = Path(order.pop("body_file")).read_text() if "body_file" in order else order.pop("body", "")
    connections, seconds = order.pop("connections"), order.pop("seconds")

    async def whole() -> dict[str, Any]:
        return await run(Job(body=body, **order), connections, seconds)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(whole()), sys.stdout)


if __name__ == "__main__":
    main()
