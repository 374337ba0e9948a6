"""The documents over HTTP: GET and HEAD of two paths an issuer, and nothing else.

Who asks does not matter, nor which host was asked for: what is served depends on the path alone.
"""

import time
from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web
from multidict import CIMultiDict
from prometheus_client import Counter

from oidc.discovery import DISCOVERY_PATH, JWKS_PATH
from oidc.documents import Document, unchanged
from oidc.publisher import Publisher
from oidc.throttle import Network, Throttle, client

REQUESTS: Final = Counter("irsa_oidc_requests_total", "Requests by document and status.", ["document", "code"])
HSTS: Final = "max-age=31536000"
METHODS: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
NOT_FOUND: Final = "not found\n"


class Limits:
    """Who is slowed down, and what caches are told: `max_age`, or `pending_max_age` while a rotation is pending."""

    def __init__(
        self,
        *,
        max_age: int = 3600,
        pending_max_age: int = 60,
        throttle: Throttle | None = None,
        trusted: tuple[Network, ...] = (),
    ) -> None:
        self.max_age, self.pending_max_age = max_age, min(max_age, pending_max_age)
        self.throttle, self.trusted = throttle, trusted


def application(publishers: Mapping[str, Publisher], limits: Limits, *, tls: bool) -> web.Application:
    """The application that serves `publishers`, each below its name; the one named `""` at the root."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", Documents(publishers, limits, tls=tls).answer)
    return app


class Documents:
    """The one handler: path to document, condition to status."""

    def __init__(self, publishers: Mapping[str, Publisher], limits: Limits, *, tls: bool) -> None:
        self._publishers, self._limits = publishers, limits
        self._fixed = {"X-Content-Type-Options": "nosniff", **({"Strict-Transport-Security": HSTS} if tls else {})}
        self._headers: dict[tuple[str, str], tuple[Document, int, CIMultiDict[str]]] = {}
        self._counters: dict[tuple[str, int], Counter] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """200, 304; 404, 405, 429; 503 while there is no document yet."""
        name, response = self._respond(request)
        key = (name, response.status)
        if (counter := self._counters.get(key)) is None:
            counter = self._counters[key] = REQUESTS.labels(*key)
        counter.inc()
        return response

    def _respond(self, request: web.Request) -> tuple[str, web.Response]:
        found = self._find(request.rel_url.raw_path)
        if found is None:
            return "", self._short(404, NOT_FOUND)
        prefix, name = found
        if request.method not in METHODS:
            return name, self._short(405, "GET or HEAD\n", Allow="GET, HEAD")
        if wait := self._wait(request):
            return name, self._short(429, "too many requests\n", **{"Retry-After": str(wait)})
        return name, self._document(request, self._publishers[prefix], prefix, name)

    def _find(self, path: str) -> tuple[str, str] | None:
        for name, suffix in (("jwks", JWKS_PATH), ("discovery", DISCOVERY_PATH)):
            if path.endswith(suffix):
                base = path[: -len(suffix)]
                if (cluster := base.removeprefix("/")) in self._publishers and base != "/":
                    return cluster, name
                alone = self._publishers.get("")
                return ("", name) if alone is not None and base in alone.paths else None
        return None

    def _wait(self, request: web.Request) -> int:
        throttle = self._limits.throttle
        if throttle is None:
            return 0
        address = client(request.remote or "", request.headers.getall(hdrs.X_FORWARDED_FOR, []), self._limits.trusted)
        return throttle.wait(address, time.monotonic()) if address else 0

    def _document(self, request: web.Request, publisher: Publisher, prefix: str, name: str) -> web.Response:
        published = publisher.published
        if published is None:
            return self._short(503, "no document yet\n", **{"Retry-After": "5"})
        document = published.jwks if name == "jwks" else published.discovery
        max_age = self._limits.pending_max_age if publisher.pending else self._limits.max_age
        known, age, headers = self._headers.get((prefix, name), (None, 0, None))
        if headers is None or known is not document or age != max_age:
            headers = CIMultiDict({**document.headers(max_age), **self._fixed})
            self._headers[prefix, name] = (document, max_age, headers)
        if unchanged(document, request.headers.get(hdrs.IF_NONE_MATCH), request.headers.get(hdrs.IF_MODIFIED_SINCE)):
            return _Response(status=304, headers=headers)
        return _Response(body=document.body, headers=headers, content_type=document.content_type)

    def _short(self, status: int, text: str, **headers: str) -> web.Response:
        # A shared cache may keep a 404 as it likes (RFC 9111 section 4.2.2), and the path may be a document soon.
        return _Response(status=status, text=text, headers={**self._fixed, "Cache-Control": "no-store", **headers})


class _Response(web.Response):
    """A response that does not say what we are made of."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self._headers.popall(hdrs.SERVER, None)
