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


def test_the_table_of_the_documentation_is_the_one_that_is_generated() -> None:
    tool = ROOT / "tools" / "operations_table.py"
    made = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "http.md").read_text()
    found = re.search(r"<!-- operations -->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert found is not None
    assert found[1] == made, "run: python tools/operations_table.py --write"
    for name in kms_model()["operations"]:
        assert f"| {name} |" in made
