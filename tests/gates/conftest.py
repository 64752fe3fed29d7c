"""benchmarks/ is no package of the suite: its gates are found by their path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
