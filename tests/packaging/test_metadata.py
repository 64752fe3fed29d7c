"""What the package asks pip for: few dependencies, and extras for what not everyone needs."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache
from typing import Any

from wheel_tools import PYTHON, ROOT, needs_wheel_tools

# The core's binding, the command line, what C does not compute, headers, batches, Ed25519ph.
DEPENDENCIES = {"cffi", "click", "cryptography", "msgpack", "numpy", "pynacl"}
EXTRAS = {"all", "arrow", "charts", "dev", "http", "metrics", "pkcs11"}

pytestmark = needs_wheel_tools


@cache
def metadata() -> dict[str, Any]:
    """What the build backend says of the package."""
    command = [PYTHON, "-m", "build", "--metadata", "--no-isolation", ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return dict(json.loads(done.stdout))


def name_of(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement, maxsplit=1)[0].lower()


def required(extra: str) -> set[str]:
    """The projects that an extra asks for; without a name, those that everybody gets."""
    found = set()
    for requirement in metadata()["requires_dist"]:
        named = re.search(r"extra == [\"'](\w+)[\"']", requirement)
        if (named[1] if named else "") == extra:
            found.add(requirement.partition(";")[0].strip())
    return found


def test_who_installs_it_gets_few_dependencies() -> None:
    assert {name_of(requirement) for requirement in required("")} == DEPENDENCIES
    assert metadata()["requires_python"] == ">=3.11"


def test_there_is_an_extra_for_what_is_there_and_for_nothing_else() -> None:
    assert set(metadata()["provides_extra"]) == EXTRAS
    assert {name_of(requirement) for requirement in required("arrow")} == {"pyarrow"}
    assert {name_of(requirement) for requirement in required("pkcs11")} == {"python-pkcs11"}


def test_all_is_every_extra_but_that_of_development() -> None:
    everything = set(re.findall(r"\w+", next(iter(required("all"))).partition("[")[2]))
    assert everything == EXTRAS - {"all", "dev", "metrics"}  # which http asks for


def test_the_page_lists_every_extra() -> None:
    page = (ROOT / "docs" / "wheels.md").read_text()
    table = page.partition("## Extras")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == EXTRAS - {"dev"}


def test_the_tools_that_build_natively_and_for_others_are_the_same() -> None:
    """Cross-compiled wheels are built with the packages of build/wheel-tools."""
    pinned = (ROOT / "tools/wheels/build-constraints.txt").read_text()
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for requirement in wanted:
        assert f"{name_of(requirement)}==" in pinned
