"""docs/metrics.md has every metric, and its examples are about metrics that there are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from kmsfast.metrics.table import TABLE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text()
ALERTS = ROOT / "examples" / "prometheus" / "alerts.yml"


def test_the_table_of_metrics_is_the_one_that_is_generated() -> None:
    tool = ROOT / "tools" / "metrics_table.py"
    made = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True).stdout
    found = re.search(r"<!-- metrics -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1] == made, "run: python tools/metrics_table.py --write"
    for name in TABLE:
        assert f"| `{name}" in made


def known() -> set[str]:
    """Names of samples."""
    names = set(TABLE)
    for each in TABLE.values():
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        names |= {each.name + end for end in ends.get(each.kind, [])}
    return names


def test_every_metric_that_is_named_is_one() -> None:
    named = set(re.findall(r"\bkmsfast_\w*[a-z]\b", PAGE + ALERTS.read_text()))
    assert named <= known(), named - known()


def test_the_alerts_are_rules_of_prometheus() -> None:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    for rule in group["rules"]:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}, rule
        assert re.search(r"\bkmsfast_\w+", rule["expr"]), rule["alert"]
        assert rule["annotations"]["summary"]
