"""What every test may ask for."""

import os

import pytest
from hypothesis import settings

pytest_plugins = ["tests.cluster.fixtures", "tests.sts.fixtures"]

# A busy machine is no bug of the code under test: no example fails for the time that it took.
settings.register_profile("irsa", deadline=None)
settings.load_profile("irsa")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Comparing with another webhook is for whoever has its binary; without `PEER` there is nothing to skip."""
    if "PEER" not in os.environ:
        peers = [item for item in items if item.get_closest_marker("peer")]
        items[:] = [item for item in items if item not in peers]
        config.hook.pytest_deselected(items=peers)
