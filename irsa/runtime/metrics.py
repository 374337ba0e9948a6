"""Prometheus metrics and health on a port of their own, plain HTTP: neither needs a certificate nor a credential."""

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder

from irsa.runtime import health


def application(readiness: health.Readiness, registry: CollectorRegistry = REGISTRY) -> web.Application:
    """The application behind a server's `--metrics-port`: `/metrics`, `/livez`, `/readyz`, `/healthz`."""

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), *health.routes(readiness)])
    return app
