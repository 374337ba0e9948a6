"""Several clusters from one server: a path each, an issuer each."""

import json
from pathlib import Path

import pytest
import trustme
from aiohttp import ClientSession

from irsa.runtime.listener import listen
from oidc.publisher import Publisher
from oidc.serve import neighbours
from oidc.server import Limits, application
from tests.oidc.keys import jwk
from tests.oidc.process import Client, client, started
from tests.oidc.test_sources import Says, kubeconfig, says
from tests.oidc.upstream import running

JWKS = "/openid/v1/jwks"


async def publishers(sources: dict[str, Says], *, shared: bool = False) -> dict[str, Publisher]:
    all_of_them = {name: Publisher(source, cluster=name) for name, source in sources.items()}
    for each in all_of_them.values():
        each.neighbours = neighbours([other for other in all_of_them.values() if other is not each], allowed=shared)
    for each in all_of_them.values():
        await each.poll()
    return all_of_them


def kids(publisher: Publisher) -> str:
    return "".join(key.kid for key in publisher.published.keys) if publisher.published else ""


async def test_clusters_do_not_share_an_issuer_by_accident() -> None:
    """The second one with the same issuer is refused: `sub` would mean a ServiceAccount of either."""
    issuer = "https://oidc.example.com"
    found = await publishers({"blue": says("a", issuer), "green": says("b", issuer)})
    assert ("a", "") == (kids(found["blue"]), kids(found["green"]))


async def test_behind_the_flag_both_publish_all_keys() -> None:
    """A relying party asks one URL for the issuer's keys, so each path has the keys of both."""
    issuer = "https://oidc.example.com"
    found = await publishers({"blue": says("a", issuer), "green": says("b", issuer)}, shared=True)
    await found["blue"].poll()
    assert ("ab", "ab") == (kids(found["blue"]), kids(found["green"]))


@pytest.mark.parametrize(
    "path, status",
    [
        ("/blue" + JWKS, 200),
        ("/green" + JWKS, 200),
        ("/away" + JWKS, 503),
        (JWKS, 404),
        ("/red" + JWKS, 404),
        ("/blue%2F" + JWKS, 404),
        ("/Blue" + JWKS, 404),
        ("//blue" + JWKS, 404),
        ("/blue", 404),
    ],
)
async def test_each_cluster_has_its_path(path: str, status: int) -> None:
    """Exactly those, and a cluster that never answered says so without harm to the others."""
    found = await publishers(
        {"blue": says("a", "https://o.example/blue"), "green": says("b", "https://o.example/green")}
    )
    found["away"] = Publisher(says("c"), cluster="away")
    runner, port = await listen(application(found, Limits(), tls=False), port=0, host="127.0.0.1")
    async with ClientSession() as session:
        answer, body = await Client(session, port, "http").get(path)
        assert status == answer.status
        if status == 200:
            assert {"/blue": ["a"], "/green": ["b"]}[path.removesuffix(JWKS)] == [
                k["kid"] for k in json.loads(body)["keys"]
            ]
    await runner.cleanup()


async def test_one_cluster_is_also_served_below_its_issuers_path() -> None:
    """An ingress passes the path of https://HOST/PATH on as it is."""
    found = await publishers({"": says("a", "https://o.example/clusters/one/")})
    runner, port = await listen(application(found, Limits(), tls=False), port=0, host="127.0.0.1")
    async with ClientSession() as session:
        answers = Client(session, port, "http")
        for path, status in ((JWKS, 200), ("/clusters/one" + JWKS, 200), ("/clusters" + JWKS, 404)):
            assert status == (await answers.get(path))[0].status
    await runner.cleanup()


async def test_the_process_serves_two_clusters(tmp_path: Path) -> None:
    """Each by its kubeconfig; ready once both have documents."""
    authority = trustme.CA()
    (tmp_path / "green").mkdir()
    async with running(authority, tmp_path) as blue, running(authority, tmp_path / "green") as green:
        blue.keys, blue.issuer = [jwk("a")], "https://o.example/blue"
        green.keys, green.issuer, green.status = [jwk("b")], "https://o.example/green", 500
        for name, upstream in (("blue", blue), ("green", green)):
            text = kubeconfig(upstream.url, "certificate-authority: upstream.pem", "token: t")
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "config").write_text(text)
            (tmp_path / name / "upstream.pem").write_bytes(authority.cert_pem.bytes())
        options = [f"--cluster={name}={tmp_path}/{name}/config" for name in ("blue", "green")]
        async with started(*options, "--poll=20ms") as server, client(server, None) as answers:
            await server.said("published", cluster="blue")
            status, explanation = await server.metrics("/readyz")
            assert (503, True) == (status, "documents of green" in explanation)
            green.status = 200
            await server.said("published", cluster="green")
            assert 200 == (await server.metrics("/readyz"))[0]
            for name in ("blue", "green"):
                found = json.loads((await answers.get(f"/{name}/.well-known/openid-configuration"))[1])
                assert f"https://o.example/{name}" == found["issuer"]
                assert f"https://o.example/{name}/openid/v1/jwks" == found["jwks_uri"]
