"""docs/chart.md names every value of the chart, no other, and the lines that the test cluster itself uses."""

import re
from typing import Any

import yaml

from tests.chart.helm import CHART, ROOT
from tests.cluster.configuration import BUCKETS

DOCUMENT = (ROOT / "docs/chart.md").read_text()
COMPONENTS = {"webhook", "oidc", "keys", "sts"}
KUBERNETES = {"resources"}  # what is below is Kubernetes' own


def leaves(values: dict[str, Any], path: str = "") -> set[str]:
    """Dotted paths of all values; a map that is empty or Kubernetes' own counts as one."""
    found = set()
    for key, value in values.items():
        nested = isinstance(value, dict) and value and key not in KUBERNETES
        found |= leaves(value, f"{path}{key}.") if nested else {f"{path}{key}"}
    return found


def test_every_value_is_described_and_nothing_else_is() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    cells = re.findall(r"^\| (`[^|]+`) \|", DOCUMENT.partition("## Values")[2], re.MULTILINE)
    described = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    own = {name for name in described if "." in name and name.split(".")[0] in {*defaults, *COMPONENTS}}
    own |= described & defaults.keys()
    shared = {f"{component}.{name}" for component in COMPONENTS for name in described - own}
    assert leaves(defaults) == own | shared


def test_the_rewrite_for_buckets_is_the_one_that_is_tested() -> None:
    assert [] == [line for line in BUCKETS.splitlines() if line.strip() not in DOCUMENT]
