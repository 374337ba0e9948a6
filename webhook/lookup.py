"""The live look at one ServiceAccount, for a pod that comes faster than the watch.

Where the table does not know a ServiceAccount, or knows it without a role, the API server is asked, since the
annotation may be a millisecond old. Bounded in number and time; callers that ask for the same one share a GET that has
not been sent yet, never one on its way (its answer may be older than the caller). Nothing of it is kept: the watch
brings it.
"""

import asyncio
import re
from typing import Final, Literal

import aiohttp
import msgspec
from prometheus_client import Counter

from irsa.runtime.logs import Log
from webhook.annotations import Defaults, RoleBinding, Unbound, read_service_account
from webhook.kube import Api, ApiError
from webhook.reflector import Item
from webhook.store import UNKNOWN, Standing, Unknown

log: Final = Log("webhook.lookup")

Mode = Literal["unbound", "missing", "never"]

DEADLINE: Final = 1.0  # seconds; the API server waits three for us
CONCURRENCY: Final = 32
AGAIN_SECONDS: Final = 0.1

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")  # a DNS subdomain (RFC 1123)

LIVE_GETS: Final = Counter("irsa_sa_live_gets_total", "Live looks at a ServiceAccount.", ["result"])

_item: Final = msgspec.json.Decoder(Item)


class LiveLookup:
    """Asks the API server about single ServiceAccounts.

    Args:
        grace: seconds to go on asking for one that does not exist, before its pod is taken as one without a role.
    """

    def __init__(self, api: Api, defaults: Defaults, mode: Mode = "unbound", grace: float = 0.0) -> None:
        self._api = api
        self._defaults = defaults
        self._mode = mode
        self._grace = grace
        self._deadline = max(DEADLINE, grace)
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._waiting: dict[tuple[str, str], asyncio.Task[Standing]] = {}
        self._sent: dict[tuple[str, str], asyncio.Task[Standing]] = {}

    def wanted(self, namespace: str, name: str, standing: Standing) -> bool:
        """Whether a look may tell more than the table does."""
        if isinstance(standing, RoleBinding) or self._mode == "never":
            return False
        if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
            return False  # no ServiceAccount can have it; in the path of a request it could lead elsewhere
        if isinstance(standing, Unbound):
            return self._mode == "unbound" and name != "default"
        return True

    async def find(self, namespace: str, name: str, known: Standing) -> Standing:
        """What the API server says of it now; `known` where it does not say it in time."""
        key = (namespace, name)
        try:
            async with asyncio.timeout(self._deadline):
                found = await self._insist(key)
        except (
            ApiError,
            aiohttp.ClientError,
            TimeoutError,
            OSError,
            msgspec.DecodeError,
            UnicodeDecodeError,
        ) as problem:
            LIVE_GETS.labels("failed").inc()
            log.warning(
                "live look failed; deciding by what the watch brought",
                service_account=f"{namespace}/{name}",
                reason=str(problem) or type(problem).__name__,
            )
            return known
        LIVE_GETS.labels("role" if isinstance(found, RoleBinding) else "no-role").inc()
        return found

    async def _insist(self, key: tuple[str, str]) -> Standing:
        end = asyncio.get_running_loop().time() + self._grace
        while True:
            if key not in self._waiting:
                self._waiting[key] = asyncio.create_task(self._ask(key))
            found = await asyncio.shield(self._waiting[key])
            left = end - asyncio.get_running_loop().time()
            if not isinstance(found, Unknown) or left <= 0:
                return found
            await asyncio.sleep(min(AGAIN_SECONDS, left))

    async def _ask(self, key: tuple[str, str]) -> Standing:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine that runs is in a task
        try:
            if key in self._sent:
                await asyncio.wait([self._sent[key]])
            async with self._slots:
                del self._waiting[key]
                self._sent[key] = task
                return await self._get(*key)
        finally:
            for table in (self._waiting, self._sent):
                if table.get(key) is task:
                    del table[key]

    async def _get(self, namespace: str, name: str) -> Standing:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        try:
            item = _item.decode(await self._api.raw("GET", path, deadline=self._deadline))
        except ApiError as problem:
            if problem.status == 404:  # noqa: PLR2004 -- HTTP's Not Found
                return UNKNOWN
            raise
        return read_service_account(f"{namespace}/{name}", item.metadata.annotations or {}, self._defaults)
