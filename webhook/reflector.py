"""All objects of one kind, mirrored by a paged list and a watch.

The list goes into a fresh table that replaces the old one at one stroke, so nobody ever sees half of it; what is
watched changes the table in place. A watch that ends, fails or is too old (410) starts again, from where it was or
from a new list; after a failure, or where it brought nothing, with a growing pause. Bookmarks keep the place fresh
where nothing changes.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

import aiohttp
import msgspec

from irsa.runtime.logs import Log
from webhook.kube import Api, ApiError

log: Final = Log("webhook.reflector")

PAGE: Final = 1000
WATCH_SECONDS: Final = 300  # then the API server ends the watch in good order
SILENCE_SECONDS: Final = 90.0  # bookmarks come every minute; a connection that is silent for longer is dead
LIST_DEADLINE: Final = 60.0  # seconds a page
PAUSES: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metadata(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The metadata that a mirror reads."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class Item(msgspec.Struct, frozen=True, gc=False):
    """An object; `data` is a ConfigMap's."""

    metadata: Metadata
    data: dict[str, str] | None = None


class ListMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """Where a list stands and how it goes on."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, frozen=True):
    """One page of a list."""

    metadata: ListMetadata
    items: list[Item] | None = None


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Status(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class Mirror(Protocol):
    """Where the objects go."""

    def begin(self) -> None:
        """A new list begins."""

    def listed(self, item: Item) -> None:
        """An object of that list."""

    def finish(self) -> None:
        """The list is complete."""

    def changed(self, item: Item) -> None:
        """An object was added or changed."""

    def deleted(self, item: Item) -> None:
        """An object is gone."""


class _Ended(Exception):  # noqa: N818 -- the watch has
    pass


class _Expired(_Ended):  # the place in the watch is too old
    pass


_page: Final = msgspec.json.Decoder(Page)
_event: Final = msgspec.json.Decoder(_Event)
_item: Final = msgspec.json.Decoder(Item)
_status: Final = msgspec.json.Decoder(_Status)


async def reflect(api: Api, path: str, mirror: Mirror, *, params: dict[str, str] | None = None) -> None:
    """Keep `mirror` equal to the objects at `path`, for ever."""
    version, failures = "", 0
    while True:
        problem: Exception | None = _Ended("the watch ended before it brought anything")
        try:
            if not version:
                version = await _list(api, path, mirror, params or {})
            async for seen in _watch(api, path, mirror, params or {}, version):
                version, failures, problem = seen, 0, None
        except _Expired as expired:
            log.info("watch too old: listing again", path=path, reason=str(expired))
            version, problem = "", expired
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError, UnicodeDecodeError) as found:
            if isinstance(found, ApiError) and found.status == 410:  # noqa: PLR2004 -- HTTP's Gone
                version = ""
            problem = found
        except Exception as bug:  # noqa: BLE001 -- without this table there are no roles, so it is made anew
            log.error("bug: listing again", path=path, exception=bug)
            version, problem = "", bug
        if problem is None:
            continue
        pause = PAUSES[min(failures, len(PAUSES) - 1)] * random.uniform(0.8, 1.2)  # noqa: S311 -- no secret
        failures += 1
        report = log.info if failures == 1 else log.warning
        report(
            "API server did not answer as it should", path=path, reason=_words(problem), retry_seconds=round(pause, 1)
        )
        await asyncio.sleep(pause)


async def _list(api: Api, path: str, mirror: Mirror, params: dict[str, str]) -> str:
    mirror.begin()
    query = {**params, "limit": str(PAGE)}

    def ask(token: str) -> asyncio.Task[bytes]:
        where = {**query, "continue": token} if token else query
        return asyncio.create_task(api.raw("GET", path, params=where, deadline=LIST_DEADLINE))

    coming = ask("")
    try:
        while True:
            page = _page.decode(await coming)
            if page.metadata.continue_:  # the API server makes the next page while we read this one
                coming = ask(page.metadata.continue_)
                await asyncio.sleep(0)
            for item in page.items or ():
                mirror.listed(item)
            if not page.metadata.continue_:
                mirror.finish()
                return page.metadata.resource_version
    finally:
        coming.cancel()


async def _watch(api: Api, path: str, mirror: Mirror, params: dict[str, str], version: str) -> AsyncIterator[str]:
    query = {
        **params,
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(WATCH_SECONDS),
    }
    apply: dict[str, Callable[[Item], None]] = {
        "ADDED": mirror.changed,
        "MODIFIED": mirror.changed,
        "DELETED": mirror.deleted,
        "BOOKMARK": lambda _: None,
    }
    async with api.stream(path, query, silence=SILENCE_SECONDS) as response:
        if not response.ok:
            raise ApiError(response.status, "", (await response.text())[:200])
        rest = b""
        async for chunk in response.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = _event.decode(line)
                if event.type == "ERROR":
                    status = _status.decode(event.object)
                    raise _Expired(status.message)
                item = _item.decode(event.object)
                if event.type in apply:
                    apply[event.type](item)
                yield item.metadata.resource_version


def _words(problem: BaseException) -> str:
    return str(problem) or type(problem).__name__
