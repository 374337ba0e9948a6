"""Helm is built, where it has to be, before the first test runs: no time-out of a test covers that."""

from pathlib import Path

import pytest

from tests.chart.helm import helm

HERE = Path(__file__).parent


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have helm ready if a test of the chart was selected."""
    if not session.config.option.collectonly and any(HERE in item.path.parents for item in session.items):
        with session.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            helm()
