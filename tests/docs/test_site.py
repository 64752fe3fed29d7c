"""The documentation site: it builds without a warning, and says all that there is to say."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from blocks import ROOT

import kmsfast
from kmsfast import errors
from kmsfast.client import aio, sync
from kmsfast.metrics import Collector
from kmsfast.model import prices, principal_file, quota_figures, seed

#: What `make docs` installs.
PYTHON = ROOT / "build" / "docs-tools" / "bin" / "python"
#: Prints the names of Python that the pages of an environment describe.
NAMES = """
import json, pathlib, pickle, sys
environment = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
print(json.dumps(list(environment.domaindata["py"]["objects"])))
"""
DOCS = ROOT / "docs"
CONFIGURATION = (DOCS / "configuration.md").read_text()
THREATS = (DOCS / "threat-model.md").read_text()


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names that the site describes. All pages are read and all links resolved; none is written."""
    if not PYTHON.exists() or _python("-c", "import furo").returncode:
        pytest.skip("needs what `make docs` installs")
    made = tmp_path_factory.mktemp("site")
    done = _python(
        *("-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--builder", "dummy"),
        *("--doctree-dir", str(made), str(DOCS), str(made / "nothing")),
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(_python("-c", NAMES, str(made / "environment.pickle")).stdout))


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The Python of the site's tools."""
    return subprocess.run([PYTHON, *arguments], capture_output=True, text=True, check=False)


def public(of: type, name: str) -> set[str]:
    """The methods and properties of a class that are for everybody, by their full names."""
    return {
        f"{name}.{member}"
        for member in dir(of)
        if not member.startswith("_")
        and getattr(getattr(of, member), "__doc__", None)
        and member not in UNDOCUMENTED
    }


#: Called by the project's own parts.
UNDOCUMENTED = {"forget_remembered"}


def test_every_public_name_is_described(described: set[str]) -> None:
    names = {f"kmsfast.{name}" for name in kmsfast.__all__ if not hasattr(errors, name)}
    names |= {f"kmsfast.errors.{name}" for name in errors.__all__}
    assert names - described == set()


def test_every_method_is_described(described: set[str]) -> None:
    for of, name in [
        (kmsfast.Kms, "kmsfast.Kms"), (kmsfast.Key, "kmsfast.Key"),
        (sync.Kms, "kmsfast.client.sync.Kms"), (sync.Key, "kmsfast.client.sync.Key"),
        (aio.AsyncKms, "kmsfast.client.aio.AsyncKms"),
        (aio.AsyncKey, "kmsfast.client.aio.AsyncKey"),
    ]:  # fmt: skip
        assert public(of, name) - described == set(), name
    assert f"kmsfast.metrics.{Collector.__name__}" in described


def test_every_page_is_in_the_navigation() -> None:
    """Sphinx warns of those that are not, unless somebody told it not to."""
    assert "orphan" not in "".join(path.read_text() for path in DOCS.rglob("*.md"))


def test_every_variable_is_in_the_page_of_configuration() -> None:
    places = [ROOT / "setup.py", *(ROOT / "src").rglob("*.py"), *(ROOT / "csrc").glob("*.[ch]"),
              *(ROOT / "tools").rglob("*.py")]  # fmt: skip
    used = set(re.findall(r"KMSFAST_[A-Z0-9_]*[A-Z0-9]", "".join(p.read_text() for p in places)))
    said = set(re.findall(r"^\| `(KMSFAST_[A-Z0-9_]+)`", CONFIGURATION, re.MULTILINE))
    assert used == said


def test_every_key_of_a_file_is_in_the_page_of_configuration() -> None:
    source = (ROOT / "src/kmsfast/external/configuration.py").read_text()
    keys = set(re.findall(r'"(\w+)": (?:str|int|dict)', source))
    assert keys >= {"module", "timeout", "clusters"}
    keys |= set(quota_figures.RESOURCES)
    keys |= {name for name in quota_figures.REQUESTS if name[0].islower() and "." not in name}
    keys |= {"data-key-pair.SPEC"}
    keys |= {member for members in principal_file._MEMBERS.values() for member in members}
    keys |= set(principal_file.SECTIONS.values())
    keys |= set(seed._MEMBERS) | {"id", "alias", "material", "keys", "region", "account"}
    keys |= {"per", "free_in_month", *prices.PriceClass}
    named = set(re.findall(r"`\[?([^`\]]+?)(?:\.ID|\.\"[^`]*)?\]?`", CONFIGURATION))
    assert keys - named == set()


def test_the_threat_model_names_tests_that_there_are() -> None:
    named = re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", THREATS)
    assert len(named) > 40
    for path, name in named:
        assert (ROOT / path).is_file(), path
        if name:
            assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
    makefiles = [*ROOT.glob("Makefile"), *ROOT.glob("*/*.mk"), *ROOT.glob("*/*/*.mk")]
    targets = set(
        re.findall(r"^([a-z-]+):", "".join(p.read_text() for p in makefiles), re.MULTILINE)
    )
    assert set(re.findall(r"`make ([a-z-]+)`", THREATS)) <= targets


def test_each_promise_has_a_test() -> None:
    promised, _, rest = THREATS.partition("## What is promised")[2].partition("## What is not")
    assert rest
    rows = [row for row in promised.splitlines() if row.startswith("|") and "---" not in row]
    promises = [row for row in rows if not row.startswith("| promise")]
    assert len(promises) > 25
    for row in promises:
        assert re.search(r"`(tests/|make )", row), row


def test_the_site_is_made_by_its_task() -> None:
    text = (ROOT / "Makefile").read_text()
    assert re.search(r"^docs: .*\n\t.*--fail-on-warning .*docs build/docs$", text, re.MULTILINE)
    assert "run: make docs" in (ROOT / ".github/workflows/docs.yml").read_text()
