"""What pytest gets: `apiserver`, `fresh_apiserver`, `cluster`, `cluster_default`, `irsa_image`, `demo_image`.

A test that asks for one of them carries the marker of the same kind, so that `-m "not apiserver"` leaves it out. What
has to be built is built after collection, where no time-out of a test runs. Where this machine cannot do it, tests are
skipped with the reason; under CI (`CI=true`) that is a failure, since a skipped proof proves nothing.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

import pytest

from tests.cluster import apiserver as api
from tests.cluster import binaries, images, kind
from tests.cluster.cluster import Cluster
from tests.cluster.problems import ClusterError, UnavailableError

# fixture -> marker
MARKERS = {
    "apiserver": "apiserver",
    "fresh_apiserver": "apiserver",
    "cluster": "kind",
    "cluster_default": "kind",
    "irsa_image": "kind",
    "demo_image": "kind",
}
IMAGES = {"irsa_image": images.LOCAL, "demo_image": images.DEMO}
DEFAULT = "irsa-default"
PROBLEMS = pytest.StashKey[dict[str, ClusterError]]()

FreshApiServer = Callable[..., AbstractContextManager[api.ApiServer]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the markers of the fixtures that it asks for, before `-m` selects."""
    for item in items:
        for marker in {MARKERS[name] for name in getattr(item, "fixturenames", ()) if name in MARKERS}:
            item.add_marker(marker)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the selected tests need, and bring their clusters up."""
    session.config.stash[PROBLEMS] = problems = {}
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    with session.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        for name, prepare in PREPARATIONS.items():
            if name in wanted:
                try:
                    prepare(wanted)
                except ClusterError as problem:
                    problems[name] = problem
                except OSError as problem:  # a fault of the harness fails the tests that need it, not all of them
                    problems[name] = ClusterError(f"{name} could not be prepared: {problem!r}")


def _with_images(cluster: Cluster, wanted: set[str]) -> None:
    for name, flavour in IMAGES.items():
        if name in wanted:
            images.in_cluster(cluster, flavour)


# fixture -> what takes longer than a test may
PREPARATIONS: dict[str, Callable[[set[str]], None]] = {
    "fresh_apiserver": lambda _: binaries.build(binaries.API_SERVER),
    "cluster": lambda wanted: _with_images(kind.up(), wanted),
    "cluster_default": lambda wanted: _with_images(kind.up(DEFAULT, issuer_of_ours=False), wanted),
}


def give_up(problem: ClusterError) -> None:
    """Skip, or fail under CI."""
    if os.environ.get("CI") == "true" or not isinstance(problem, UnavailableError):
        pytest.fail(str(problem), pytrace=False)
    pytest.skip(str(problem))


def _check(request: pytest.FixtureRequest) -> None:
    """Give up where what the fixture stands for could not be prepared."""
    if request.fixturename in (problems := request.config.stash[PROBLEMS]):
        give_up(problems[request.fixturename])


@pytest.fixture(scope="session")
def fresh_apiserver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FreshApiServer:
    """Makes API servers for tests that need keys or flags of their own: each call is a context of one server.

    Its arguments are those of `tests.cluster.apiserver.serve`; `tests.cluster.pki.signing_key` makes a key.
    """
    _check(request)

    def make(
        flags: Mapping[str, str | list[str]] | None = None, signing_keys: list[bytes] | None = None
    ) -> AbstractContextManager[api.ApiServer]:
        folder = tmp_path_factory.mktemp("apiserver")
        return api.serve(folder, flags, signing_keys)

    return make


@pytest.fixture(scope="session")
def apiserver(fresh_apiserver: FreshApiServer) -> Iterator[api.ApiServer]:
    """One API server for the whole run; use `apiserver.namespace()` for a place of your own."""
    with fresh_apiserver() as server:
        yield server


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A real cluster whose issuer is ours, or the one that CLUSTER= names; `make cluster-down` ends it."""
    _check(request)
    return kind.up()


@pytest.fixture(scope="session")
def cluster_default(request: pytest.FixtureRequest) -> Cluster:
    """A second kind cluster, with kind's default settings: its issuer is the API server's own."""
    _check(request)
    return kind.up(DEFAULT, issuer_of_ours=False)


@pytest.fixture(scope="session")
def irsa_image(cluster: Cluster) -> str:
    """The reference of our image (with moto) that the cluster's pods can use, of the sources as they are now."""
    return images.in_cluster(cluster, images.LOCAL)


@pytest.fixture(scope="session")
def demo_image(cluster: Cluster) -> str:
    """The reference of the image with nothing but Python and boto3."""
    return images.in_cluster(cluster, images.DEMO)
