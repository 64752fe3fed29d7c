"""`make performance`: the figures in docs/performance.md, from the kept results.

The page is written by hand but for what stands between ``<!-- figures: NAME -->`` and
``<!-- end -->``, which this makes of benchmarks/results/*.json. A test makes it again and compares.
"""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import document
from document import KEPT, Curve
from outline import CHART, bytes_text, count_text
from rows import by_area, cells

PAGE = document.HERE.parent / "docs" / "performance.md"
SECTION = re.compile(r"(<!-- figures: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
MISSING = "Not measured yet.\n"


def machine(found: dict[str, Any]) -> str:
    """A table of what the figures were measured on."""
    at, build, versions = found["machine"], found["build"], found["versions"]
    ways = "; ".join(
        f"{profile}: {way['aead']}, P-256 {way['p256']}"
        for profile, way in found["paths"].items()
        if way
    )
    peers = ", ".join(
        f"{name} {version}" for name, version in versions.items()
        if version and name not in {"python", "kmsfast"} and not name.startswith("openssl")
    )  # fmt: skip
    facts = {
        "CPU": f"{at['cpu']}, {at['architecture']}, {at['cores']} cores",
        "instructions that matter": " ".join(at["flags"] or ["unknown"]),
        "memory": f"{at['memory_mib'] / 1024:.0f} GiB",
        "system": f"{at['system']} {at['kernel']}, frequency governor "
        f"{at['governor'] or 'not readable'}, load {at['load']} at the end",
        "ways of the core": ways,
        "compiler": f"{build['compiler']}, `{' '.join(build['flags'])}`",
        "Python": versions["python"],
        "OpenSSL": f"{versions['openssl']}; inside cryptography: "
        f"{versions['openssl of cryptography']}",
        "peers": peers,
        "commit": f"{found['commit'] or 'unknown'}{' and changes' if found['changed'] else ''}",
        "measured": f"{found['date']}, {found['seconds']:.0f} s"
        + (" (briefly, with `--quick`: only an impression)" if found.get("quick") else ""),
    }
    return _table(["", ""], [[name, value] for name, value in facts.items()])


def rows(found: dict[str, Any]) -> str:
    """The rows of each area, in the order of the table that `make bench` prints."""
    head = ["row", "ours", "peer", "ratio", "target", "verdict"]
    parts = []
    for area, those in by_area(document.rows_of(found)):
        lines = [[name, *others] for name, _size, *others in map(cells, those)]
        parts.append(f"### {area}\n\n{_table(head, lines)}")
    return "\n".join(parts)


def charts(results: str) -> Callable[[dict[str, Any]], str]:
    """The charts of some results, and the figures below them as tables."""

    def made(found: dict[str, Any]) -> str:
        curves = document.curves_of(found)
        parts = []
        for name, (of, ids, alt) in CHART.items():
            if of == results:
                tables = "\n".join(_curve(curves[id_]) for id_ in ids if id_ in curves)
                parts.append(f"![{alt}](charts/{name}.svg)\n\n{tables}")
        return "\n".join(parts)

    return made


SECTIONS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "machine": ("bench", machine),
    "rows": ("bench", rows),
    "curves": ("curves", charts("curves")),
    "scale": ("scale", charts("scale")),
}


def page(text: str, results: Path) -> str:
    """The page with the figures of some results.

    Raises:
        KeyError: the page has a section that nothing is known of.
    """

    def section(found: re.Match[str]) -> str:
        name, make = SECTIONS[found[2]]
        path = results / f"{name}.json"
        body = make(document.read(path)) if path.exists() else MISSING
        return f"{found[1]}{body}{found[3]}"

    return SECTION.sub(section, text)


def _curve(curve: Curve) -> str:
    text = bytes_text if curve.x.startswith("bytes") else count_text
    head = [f"{curve.title} ({curve.y}): {curve.x}", *map(text, curve.points)]
    lines = [
        [line.name, *("-" if value is None else count_text(value) for value in line.values)]
        for line in curve.lines
    ]
    return _table(head, lines)


def _table(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---", *["--:"] * (len(head) - 1)] if len(head) > 2 else ["---"] * len(head)
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, rule, *lines])


def main() -> None:
    """Parses the arguments; writes the page, or says that it is not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    text = PAGE.read_text(encoding="utf-8")
    made = page(text, KEPT)
    if options.check and made != text:
        sys.exit(f"{PAGE} is not what the results make of it: run `make performance`")
    PAGE.write_text(made, encoding="utf-8")
    print(f"{PAGE}: {'as it was' if made == text else 'written'}")


if __name__ == "__main__":
    main()
