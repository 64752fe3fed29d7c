"""Results of benchmarks: what is written is read again, and what docs show is made of them."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.sources
document = pytest.importorskip("document", reason="needs benchmarks/")

import history  # noqa: E402
import performance  # noqa: E402
from document import Curve, Line, UnknownFormat  # noqa: E402
from outline import CHART  # noqa: E402
from rows import AREAS, JUDGED, Result, table  # noqa: E402

KERNELS = AREAS["bench_kernels"]
GOOD = Result("AES 64 B vs OpenSSL", "records/s", 2e6, 1e6, 2.0, 1.5, None, KERNELS)
SHORT = Result("HTTP vs moto_server", "requests/s", 1e3, 1e3, 1.0, 18.0, 30.0, AREAS["bench_http"])
ALONE = Result("HTTP, p99", "ms", 2.0, None, None, 1.0, None, AREAS["bench_http"])
CURVE = Curve("threads", "A title", "threads", "times", [1, 2], [Line("ours", [1.0, None])])


def _written(path: Path, rows: list[Result], date: str = "") -> Path:
    document.write(path, time.monotonic(), rows=rows, curves=[CURVE])
    if date:
        found = json.loads(path.read_text())
        path.write_text(json.dumps(found | {"date": date}))
    return path


@pytest.fixture(autouse=True)
def _known_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one is asked once, below: it starts processes."""
    at = {"cpu": "a CPU", "architecture": "x86_64", "cores": 2, "flags": ["aes"]}
    monkeypatch.setattr("environment.describe", lambda: {"machine": at})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = document.read(_written(tmp_path / "a.json", [GOOD, SHORT, ALONE]))
    assert document.rows_of(found) == [GOOD, SHORT, ALONE]
    assert document.curves_of(found) == {"threads": CURVE}
    assert [(row["size"], row["verdict"]) for row in found["rows"]] == [
        ("64 B", "met"), ("", "SHORT"), ("", "peer missing"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [("[]", "no results"), ('{"format": "kmsfast-bench", "version": 2}', "version 2, not 1")],
)
def test_what_is_of_another_format_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UnknownFormat, match=said):
        document.read(path)


def test_the_table_has_areas_and_what_is_asked_of_a_row() -> None:
    lines = table([SHORT, GOOD, ALONE]).splitlines()
    assert lines[0].split() == ["row", "size", "ours", "peer", "ratio", "target", "verdict"]
    assert [line for line in lines if line in AREAS.values()] == [KERNELS, AREAS["bench_http"]]
    [good] = [line for line in lines if line.startswith(GOOD.name)]
    assert good.removeprefix(GOOD.name).split() == [
        "64", "B", "2.00", "M/s", "1.00", "M/s", "2.00", "1.5", "met",
    ]  # fmt: skip


def test_every_file_of_rows_has_an_area_and_is_run(root: Path) -> None:
    import run

    there = {path.name for path in (root / "benchmarks").glob("bench_*.py")}
    assert {f"{name}.py" for name in AREAS} >= there
    assert set(run.FILES) == there


def test_a_trend_compares_ratios_of_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [
        _written(tmp_path / f"{number}.json", [Result(
            GOOD.name, GOOD.unit, 9.0, 1.0, ratio, None, None, KERNELS, JUDGED)],
            f"2026-01-0{number}T00:00:00Z")
        for number, ratio in ((3, 1.0), (1, 2.0), (2, 2.2))
    ]  # fmt: skip
    monkeypatch.setattr("environment.describe", lambda: {"machine": {
        "cpu": "another", "architecture": "x86_64", "cores": 2, "flags": []}})  # fmt: skip
    other = _written(tmp_path / "other.json", [GOOD], "2025-01-01T00:00:00Z")
    documents, left_out = history.series([*paths, other])
    assert left_out == [other]
    [trend] = history.trends(documents)
    assert trend.ratios == [2.0, 2.2, 1.0]
    assert trend.change == pytest.approx(1.0 / 2.1 - 1)
    assert len(trend.bars()) == 3
    monkeypatch.setattr("sys.argv", ["history.py", "--below", "-5", *map(str, paths)])
    history.main()
    assert "-52.4%" in capsys.readouterr().out


def test_the_page_is_what_the_results_make_of_it() -> None:
    text = performance.PAGE.read_text(encoding="utf-8")
    names = re.findall(r"<!-- figures: ([a-z-]+) -->", text)
    assert sorted(names) == sorted(performance.SECTIONS)
    made = performance.page(text, document.KEPT)
    assert made == text, "run: make performance"
    assert performance.MISSING not in made


def test_figures_typed_by_hand_do_not_stay() -> None:
    text = "<!-- figures: machine -->\n| CPU | the best |\n<!-- end -->\nby hand\n"
    made = performance.page(text, document.KEPT)
    assert "the best" not in made
    assert made.endswith("<!-- end -->\nby hand\n")


def test_the_charts_are_there_and_small(root: Path) -> None:
    charts = root / "docs" / "charts"
    assert {path.stem for path in charts.glob("*.svg")} == set(CHART)
    for path in charts.glob("*.svg"):
        assert path.stat().st_size < 60_000
        text = path.read_text(encoding="utf-8")
        assert "prefers-color-scheme: dark" in text
        assert "<text" in text  # letters, not their outlines


def test_charts_are_drawn_of_any_results() -> None:
    charts = pytest.importorskip("charts", reason="needs matplotlib")
    latency = Curve("latency-x", "L", "% of requests", "milliseconds", [50.0, 99.9],
                    [Line("ours", [0.1, 0.2]), Line("peer", [None, None])])  # fmt: skip
    one = charts.chart([CURVE, latency])
    assert one == charts.chart([CURVE, latency])
    for said in ("A title", "milliseconds", "% of requests", ">ours<", ">99.9<"):
        assert said in one


def test_the_machine_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    import environment

    found = environment.machine() | environment.build()
    assert found["cores"] >= 1
    assert found["memory_mib"] > 100
    assert re.fullmatch(r"[\d.]+", found["kernel"])
    assert environment.versions()["kmsfast"]
