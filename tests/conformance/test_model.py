"""The operations and the documentation beside botocore's model."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from botocore_model import kms_model

from kmsfast.operations import DEVIATIONS, MISSING, OPERATIONS
from kmsfast.server.service_model import load_service_model

ROOT = Path(__file__).parents[2]


def test_every_operation_of_the_model_is_offered_or_said_to_be_missing() -> None:
    names = set(kms_model()["operations"])
    assert set(OPERATIONS) | set(MISSING) == names
    assert not set(OPERATIONS) & set(MISSING)
    assert set(DEVIATIONS) <= set(OPERATIONS)


def test_the_model_that_is_served_is_botocores() -> None:
    served = load_service_model()
    assert set(served.operations) == set(kms_model()["operations"])
    assert served.target_prefix == kms_model()["metadata"]["targetPrefix"]


def test_the_tables_of_the_documentation_are_those_that_are_generated() -> None:
    tool = ROOT / "tools" / "operations_table.py"
    made = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True).stdout
    there = ""
    for page in ("http.md", "doors.md"):
        text = (ROOT / "docs" / page).read_text()
        found = re.search(r"<!-- operations -->\n(.*?)<!-- end -->", text, re.DOTALL)
        assert found is not None
        there += found[1]
        for name in kms_model()["operations"]:
            assert f"\n| {name} |" in found[1]
    assert there == made, "run: python tools/operations_table.py --write"
