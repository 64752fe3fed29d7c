"""The modules of benchmarks/, which are no package: `sys.path` is as when they run."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"

if BENCHMARKS.is_dir():
    sys.path.append(str(BENCHMARKS))


@pytest.fixture
def root() -> Path:
    return ROOT
