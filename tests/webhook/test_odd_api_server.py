"""An API server, or what stands before it, that answers what it should not: the webhook goes on, and says so.

It is scripted, since a real one cannot be made to do this.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from irsa.runtime.health import Readiness
from irsa.runtime.listener import listen
from tests.webhook.pods import pod, review
from webhook.admission import Admission
from webhook.annotations import Defaults
from webhook.certs import Keeper, Names
from webhook.endpoint import Endpoint
from webhook.injection import Settings
from webhook.kube import Access, Api
from webhook.lookup import LiveLookup
from webhook.reflector import Item, reflect
from webhook.routes import Reply
from webhook.secrets import Secrets
from webhook.store import ServiceAccounts

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

JUNK = {
    "no JSON": (200, b"<html>sign in</html>"),
    "half of it": (200, b'{"metadata":{"annotations":{'),
    "other types": (200, b'{"metadata":{"annotations":["a"]},"items":{}}'),
    "no UTF-8": (200, b'{"metadata":{"annotations":{"a":"\xff"}},"items":[{"metadata":{"name":"\xff"}}]}'),
    "nothing": (200, b""),
    "its own trouble": (500, b'{"reason":"InternalError","message":"etcd is away"}'),
    "somebody else's trouble": (503, b"<html>no upstream</html>"),
    "no right": (403, b'{"reason":"Forbidden"}'),
}


@contextlib.asynccontextmanager
async def scripted(handler: Handler) -> AsyncIterator[Api]:
    """Access to an API server that answers as `handler` says."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner, port = await listen(application, port=0, host="127.0.0.1", drain_seconds=0.01)
    try:
        async with Api(Access(server=f"http://127.0.0.1:{port}")) as api:
            yield api
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status, body", JUNK.values(), ids=list(JUNK))
async def test_a_live_look_at_junk_decides_by_what_is_known(status: int, body: bytes) -> None:
    """The pod is allowed without a role, and no answer is HTTP 500."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type="application/json")

    async with scripted(answer) as api:
        admission = Admission(ServiceAccounts(Defaults()), LiveLookup(api, Defaults()), Settings)
        reply = admission.begin(json.dumps(review(pod())).encode())
        assert not isinstance(reply, Reply)
        seen = await asyncio.wait_for(reply, 10)
    assert (200, True) == (seen.status, json.loads(seen.body)["response"]["allowed"])
    assert "patch" not in json.loads(seen.body)["response"]


class Heard:
    """A mirror that remembers names, and tells when one comes."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.complete = asyncio.Event()
        self.heard = asyncio.Event()

    def begin(self) -> None:
        self.names.clear()

    def listed(self, item: Item) -> None:
        self.names.add(item.metadata.name)

    def finish(self) -> None:
        self.complete.set()

    def changed(self, item: Item) -> None:
        self.names.add(item.metadata.name)
        self.heard.set()

    def deleted(self, item: Item) -> None:
        self.names.discard(item.metadata.name)


def line(kind: str, **content: Any) -> bytes:
    return json.dumps({"type": kind, "object": content}).encode() + b"\n"


def item(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


GOOD_LIST = json.dumps({"metadata": {"resourceVersion": "1"}, "items": [item("listed", "1")]}).encode()
ENDS = {
    "junk": b"<html>sign in</html>\n",
    "no UTF-8": b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}\n',
    "too old": line("ERROR", code=410, message="too old resource version"),
    "its own trouble": line("ERROR", code=500, message="etcd event received with PrevKv=nil"),
    "at once": b"",
}


@pytest.mark.parametrize("status, body", JUNK.values(), ids=list(JUNK))
async def test_a_list_of_junk_is_asked_for_again(status: int, body: bytes) -> None:
    """The table stays incomplete, which readiness says, until a list can be read."""
    lists = iter([(status, body)] * 2)

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            await asyncio.sleep(60)
        status, body = next(lists, (200, GOOD_LIST))
        return web.Response(status=status, body=body, content_type="application/json")

    mirror = Heard()
    async with scripted(answer) as api:
        following = asyncio.create_task(reflect(api, "/things", mirror))
        await asyncio.wait_for(mirror.complete.wait(), 10)
        following.cancel()
    assert {"listed"} == mirror.names


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
async def test_a_watch_that_ends_badly_goes_on_with_growing_pauses(
    end: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Three times in a row, after each list; the fourth brings news. Who is in trouble is not asked without end."""
    bad = iter([end] * 3)

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.Response(body=GOOD_LIST, content_type="application/json")
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(StopIteration):
            await response.write(next(bad))
            return response
        await response.write(line("ADDED", **item("watched", "2")))
        await asyncio.sleep(60)
        return response

    mirror = Heard()
    caplog.set_level(logging.INFO)
    async with scripted(answer) as api:
        following = asyncio.create_task(reflect(api, "/things", mirror))
        await asyncio.wait_for(mirror.heard.wait(), 20)
        following.cancel()
    assert {"listed", "watched"} == mirror.names
    fields = [record.fields for record in caplog.records if "as it should" in record.message]  # type: ignore[attr-defined]
    pauses = [each["retry_seconds"] for each in fields]
    assert 3 == len(pauses)
    assert sorted(pauses) == pauses
    assert pauses[0] < pauses[-1]


async def test_the_keeper_of_certificates_outlives_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    """A round that cannot end, for whatever reason, is followed by the next one: here by what no API server says."""
    asked = asyncio.Queue[str]()

    async def answer(request: web.Request) -> web.Response:
        await asked.put(request.path)
        return web.json_response({"metadata": [], "data": 5})

    async with scripted(answer) as api:
        secrets, readiness = Secrets(api, "demo"), Readiness()
        endpoint = Endpoint(api, secrets, None, readiness, names=("localhost",), secret="ca", configuration="")  # type: ignore[arg-type]
        keeper = Keeper(secrets, Names(), endpoint=endpoint, readiness=readiness, trusted=lambda _: None)
        rounds = asyncio.create_task(keeper.run())
        for _ in range(2):
            await asyncio.wait_for(asked.get(), 30)
        assert not rounds.done()
        rounds.cancel()
    assert not readiness.ready
    assert any("bug: certificates" in record.message for record in caplog.records)
