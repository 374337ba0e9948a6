"""ConfigMap and Pod Identity file while the webhook runs: changed, broken, mended and gone, as Kubernetes does it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irsa.runtime.health import Readiness
from tests.cluster.apiserver import ApiServer
from tests.webhook.process import ARN, Mount, Site, Webhook, eventually
from webhook import mapping
from webhook.annotations import Defaults
from webhook.identities import IdentitiesError, read
from webhook.kube import ConfigError
from webhook.sources import CurrentSources, require_folder

MAPPED = "arn:aws:iam::111122223333:role/mapped"
FILE = "identities.json"


@pytest.fixture(scope="module")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Mount:
    """A mounted ConfigMap that names nobody."""
    made = Mount(tmp_path_factory.mktemp("mount"))
    made.write(**{FILE: json.dumps({"identities": []})})
    return made


@pytest.fixture(scope="module")
def site(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A namespace of this module's own."""
    return Site(apiserver, tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def webhook(site: Site, mount: Mount) -> Iterator[Webhook]:
    """A webhook that has both sources."""
    flags = ("--watch-config-map=true", f"--watch-container-credentials-config={mount.folder / FILE}")
    with site.webhook(*flags) as running:
        site.register(running.port)
        running.wait_ready()
        yield running


def config_map(site: Site, *, name: str = "pod-identity-webhook", **data: Any) -> None:
    """Make it, or make it say this."""
    path = f"/api/v1/namespaces/{site.namespace}/configmaps"
    content = {key: value if isinstance(value, str) else json.dumps(value) for key, value in data.items()}
    status, _ = site.api.client.raw("GET", f"{path}/{name}")
    if status == 404:
        site.api.client.create(path, {"metadata": {"name": name}, "data": content})
    else:
        site.api.client.patch(f"{path}/{name}", {"data": {"config": None, **content}})


def test_a_config_map_that_comes_changes_and_goes(site: Site, webhook: Webhook) -> None:
    """M8, M9: broken text keeps what was there; a removed entry and a deleted ConfigMap give no role any more."""
    for name in ("app", "other"):
        site.account(name, {})
    assert "" == site.role("app")
    config_map(site, config={f"{site.namespace}/{name}": {"RoleARN": MAPPED} for name in ("app", "other")})
    eventually(lambda: site.role("app") == MAPPED, "role of the ConfigMap", explain=webhook.tail)
    for broken in ({"config": "{"}, {"config": "[]"}, {"other": "{}"}):
        before = len([entry for entry in webhook.entries() if "ConfigMap not used" in entry["message"]])
        config_map(site, **broken)
        eventually(
            lambda before=before: (
                len([entry for entry in webhook.entries() if "ConfigMap not used" in entry["message"]]) > before
            ),
            f"complaint about {broken}",
            explain=webhook.tail,
        )
        assert MAPPED == site.role("app")
    config_map(site, config={f"{site.namespace}/app": {"RoleARN": MAPPED}})
    eventually(lambda: site.role("other") == "", "entry removed", explain=webhook.tail)
    assert MAPPED == site.role("app")
    site.api.client.delete(f"/api/v1/namespaces/{site.namespace}/configmaps/pod-identity-webhook")
    eventually(lambda: site.role("app") == "", "ConfigMap deleted", explain=webhook.tail)


def test_a_config_map_that_crashes_the_go_webhook(site: Site, webhook: Webhook) -> None:
    """M7: each bad entry costs itself and a line in the log; the good one beside them holds."""
    site.account("good", {})
    config_map(
        site,
        config={
            "no-slash": {"RoleARN": MAPPED},
            f"{site.namespace}/null": None,
            f"{site.namespace}/text": "x",
            "/": {"RoleARN": MAPPED},
            f"{site.namespace}/good": {"RoleARN": MAPPED},
        },
    )
    eventually(lambda: site.role("good") == MAPPED, "the good entry", explain=webhook.tail)
    assert webhook.process.poll() is None
    assert 4 == len([entry for entry in webhook.entries() if "is left out" in entry["message"]])


def test_a_config_map_of_another_name_is_nobody(site: Site, webhook: Webhook) -> None:
    """Only `pod-identity-webhook` counts, whatever else its namespace holds."""
    site.account("stranger", {})
    config_map(site, name="another", config={f"{site.namespace}/stranger": {"RoleARN": MAPPED}})
    config_map(site, config={f"{site.namespace}/known": {"RoleARN": MAPPED}})
    site.account("known", {})
    eventually(lambda: site.role("known") == MAPPED, "the real one", explain=webhook.tail)
    assert "" == site.role("stranger")


def test_a_mounted_file_that_changes_by_a_symlink_swap(site: Site, mount: Mount, webhook: Webhook) -> None:
    """P1, P8: read again within seconds, as often as kubelet exchanges it; junk keeps what was there."""

    def full_uri() -> bool:
        env = site.pod("identity")["spec"]["containers"][0].get("env", [])
        return any(each["name"] == "AWS_CONTAINER_CREDENTIALS_FULL_URI" for each in env)

    site.account("identity")
    entry = {"namespace": site.namespace, "serviceAccount": "identity"}
    assert ARN == site.role("identity")
    mount.write(**{FILE: json.dumps({"identities": [entry]})})
    eventually(full_uri, "identities read", explain=webhook.tail)
    mount.write(**{FILE: '{"identities": ['})
    eventually(
        lambda: any("identities not read" in entry["message"] for entry in webhook.entries()),
        "complaint",
        explain=webhook.tail,
    )
    assert full_uri()
    mount.write(**{FILE: json.dumps({"identities": []})})
    eventually(lambda: site.role("identity") == ARN, "identities gone", explain=webhook.tail)


@pytest.mark.parametrize(
    "text, found",
    [
        (b"", set()),
        (b" \n", set()),
        (b"{}", set()),
        (b'{"identities": null}', set()),
        (b'{"identities": [{"namespace": "a", "serviceAccount": "b", "more": 1}]}', {("a", "b")}),
    ],
)
def test_what_the_identities_file_may_say(text: bytes, found: set[tuple[str, str]]) -> None:
    """Empty is nobody; what is not known is passed over."""
    assert found == read(text)


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"identities": {}}', b'{"identities": ["a"]}', b"[" * 10_000])
def test_what_it_may_not_say(text: bytes) -> None:
    """With the form that would be right."""
    with pytest.raises(IdentitiesError, match="must be"):
        read(text)


def test_a_file_that_goes_and_comes(tmp_path: Path) -> None:
    """Missing is nobody, not an error; a folder that is missing is one at start."""
    sources, path = CurrentSources(Defaults(), Readiness()), tmp_path / "identities.json"
    for text, count in ((None, 0), ('{"identities": [{"namespace": "a", "serviceAccount": "b"}]}', 1), (None, 0)):
        path.unlink(missing_ok=True)
        if text:
            path.write_text(text)
        sources.read_file(path)
        assert count == len(sources.now.identities)
    with pytest.raises(ConfigError, match="folder that exists"):
        require_folder(tmp_path / "nowhere" / "file")


def test_a_mapped_role_is_composed_and_judged_like_an_annotated_one() -> None:
    """M6: what is no ARN becomes one where the account is known; else it is taken as it is, with a warning."""
    text = '{"demo/app": {"RoleARN": "reader"}}'
    known = mapping.read(text, Defaults(account_id="111122223333", partition="aws-cn"))
    binding = known.find("demo", "app")
    assert binding is not None
    assert ("arn:aws-cn:iam::111122223333:role/reader", ()) == (binding.role_arn, known.warnings)
    unknown = mapping.read(text, Defaults())
    binding = unknown.find("demo", "app")
    assert binding is not None
    assert "reader" == binding.role_arn
    assert "no role ARN" in unknown.warnings[0]
