"""A pod whose ServiceAccount's name leads out of the path at which the API server is asked about it.

`../secrets/x` would be another object, read with the webhook's rights; its annotations could then give a role.
"""

import asyncio
import json

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from irsa.runtime.listener import listen
from tests.webhook.pods import ARN, pod, review
from webhook.admission import Admission
from webhook.annotations import Defaults
from webhook.injection import Settings
from webhook.kube import Access, Api
from webhook.lookup import LiveLookup
from webhook.routes import Reply
from webhook.store import ServiceAccounts

ANNOTATED = {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": ARN}}}
NAMES = {
    "another kind": "../configmaps/mine",
    "another namespace": "../../other/serviceaccounts/admin",
    "encoded": "..%2fconfigmaps%2fmine",
    "encoded twice": "..%252fconfigmaps%252fmine",
    "a query": "app?watch=true",
    "a fragment": "app#",
    "this folder": ".",
    "the folder above": "..",
    "a line": "app\r\nX: y",
    "capitals": "App",
    "too long": "a" * 254,
}


async def ask(namespace: str, name: str) -> tuple[Reply, list[str]]:
    """The answer to a pod of a ServiceAccount, and the paths at which an API server that knows all was asked."""
    asked: list[str] = []

    async def know(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        return web.json_response(ANNOTATED)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", know)
    runner, port = await listen(application, port=0, host="127.0.0.1")
    try:
        async with Api(Access(server=f"http://127.0.0.1:{port}")) as api:
            admission = Admission(ServiceAccounts(Defaults()), LiveLookup(api, Defaults()), Settings)
            body = json.dumps(review(pod(serviceAccountName=name), namespace=namespace)).encode()
            answer = admission.begin(body)
            return answer if isinstance(answer, Reply) else await asyncio.wait_for(answer, 10), asked
    finally:
        await runner.cleanup()


async def test_a_name_is_asked_about_at_its_own_path() -> None:
    """The good case, so that the bad ones below show something."""
    reply, asked = await ask("demo", "app.v-1")
    assert ["/api/v1/namespaces/demo/serviceaccounts/app.v-1"] == asked
    assert "patch" in json.loads(reply.body)["response"]


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
@pytest.mark.parametrize("place", ["name", "namespace"])
async def test_what_no_service_account_can_be_called_is_not_asked_about(place: str, name: str) -> None:
    """Nothing is sent; the pod is allowed without a role, and its creation is for the API server to refuse."""
    before = REGISTRY.get_sample_value("irsa_sa_live_gets_total", {"result": "role"})
    reply, asked = await ask(*(("demo", name) if place == "name" else (name, "app")))
    assert [] == asked
    response = json.loads(reply.body)["response"]
    assert (True, False) == (response["allowed"], "patch" in response)
    assert before == REGISTRY.get_sample_value("irsa_sa_live_gets_total", {"result": "role"})
