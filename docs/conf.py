"""The documentation site: `make docs`. The pages are plain Markdown and read as well without it.

Rules:
- a warning is an error (the Makefile says so), a link that leads nowhere is a warning;
- pages elsewhere in the repository (changelog, security, ...) are shown by pages here;
  links to them go to those, links to other files of the repository offer the file;
- nothing is fetched.
"""

from __future__ import annotations

import posixpath
import re
from importlib.metadata import version as installed
from pathlib import Path, PurePosixPath
from typing import Any

from sphinx.application import Sphinx

project = "kmsfast"
author = "the kmsfast developers"
copyright = "the kmsfast developers; Apache-2.0"  # noqa: A001 - Sphinx's name for it
version = release = installed("kmsfast")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
root_doc = "index"
nitpicky = False  # types in signatures are links where there is a page for them
suppress_warnings = ["ref.python"]  # Kms and Key are names of the store's and of its clients'

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_default_options = {"members": True, "inherited-members": "object,str,tuple,int,Exception",
                           "exclude-members": "forget_remembered, derive"}  # fmt: skip
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"kmsfast {release}"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}

#: Pages of the site that show a page of the repository that is not in docs/.
_SHOWN = {
    "architecture": "ARCHITECTURE.md",
    "benchmarks": "benchmarks/README.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
}
_PAGES = {name: f"{page}.md" for page, name in _SHOWN.items()} | {
    "README.md": "index.md", "docs/adr": "adr/index.md",
}  # fmt: skip
_ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)(?=[)#])")


def _source(_app: Sphinx, page: str, source: list[str]) -> None:
    """The text of a page: that of the root of the repository where it stands for one."""
    shown = _SHOWN.get(page)
    if shown is not None:
        source[0] = (_ROOT / shown).read_text()
    folder = PurePosixPath(shown or f"docs/{page}").parent
    up = "../" * page.count("/")

    def target(found: re.Match[str]) -> str:
        path = posixpath.normpath(folder / found[1])
        if path in _PAGES:
            return up + _PAGES[path]
        if path.startswith("docs/"):
            return up + path.removeprefix("docs/")
        return f"{up}../{path}"

    source[0] = _LINK.sub(target, source[0])


def _docstring(
    _app: Sphinx, what: str, _name: str, _of: Any, _options: Any, lines: list[str]
) -> None:
    """Docstrings of modules say the rules that their code keeps: they are for who reads it."""
    if what == "module":
        lines.clear()


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _source)
    app.connect("autodoc-process-docstring", _docstring)
