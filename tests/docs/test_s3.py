"""The configuration of SeaweedFS in docs/s3.md is the one that tests/clients run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from seaweed import ACCESS_KEY, SECRET_KEY, configuration

PAGE = Path(__file__).parents[2] / "docs" / "s3.md"


def test_the_configuration_is_the_one_that_is_run() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown: dict[str, Any] = json.loads(block)
    shown["identities"][0]["credentials"] = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    assert shown == configuration("http://127.0.0.1:4599", cached=False)
