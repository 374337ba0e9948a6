"""What pytest gets: `apiserver`, `fresh_apiserver`.

A test that asks for one of them carries the marker of the same kind, so that `-m "not apiserver"` leaves it out. What
has to be built is built after collection, where no time-out of a test runs. Where this machine cannot do it, tests are
skipped with the reason; under CI (`CI=true`) that is a failure, since a skipped proof proves nothing.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

import pytest

from tests.cluster import apiserver as api
from tests.cluster import binaries
from tests.cluster.problems import ClusterError, UnavailableError

MARKERS = {"apiserver": "apiserver", "fresh_apiserver": "apiserver"}  # fixture -> marker
PROBLEM = pytest.StashKey[ClusterError]()

FreshApiServer = Callable[..., AbstractContextManager[api.ApiServer]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the markers of the fixtures that it asks for, before `-m` selects."""
    for item in items:
        for marker in {MARKERS[name] for name in getattr(item, "fixturenames", ()) if name in MARKERS}:
            item.add_marker(marker)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the selected tests need."""
    wanted = any(item.get_closest_marker("apiserver") for item in session.items)
    if session.config.option.collectonly or not wanted:
        return
    with session.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        try:
            binaries.build(binaries.API_SERVER)
        except ClusterError as problem:
            session.config.stash[PROBLEM] = problem


def give_up(problem: ClusterError) -> None:
    """Skip, or fail under CI."""
    if os.environ.get("CI") == "true" or not isinstance(problem, UnavailableError):
        pytest.fail(str(problem), pytrace=False)
    pytest.skip(str(problem))


@pytest.fixture(scope="session")
def fresh_apiserver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FreshApiServer:
    """Makes API servers for tests that need keys or flags of their own: each call is a context of one server.

    Its arguments are those of `tests.cluster.apiserver.serve`; `tests.cluster.pki.signing_key` makes a key.
    """
    if problem := request.config.stash.get(PROBLEM, None):
        give_up(problem)

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
