"""The command line: its start, columns of a Parquet file, and a file of any size.

The files lie in memory (/dev/shm) where that has room, so that the disk is not what is compared;
KMSFAST_BENCH_DIR names another place and KMSFAST_BENCH_GIB another size of the large file.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Compare
from rows import Result, Row

import kmsfast

ROWS = 1_000_000
COLUMNS = "email,ssn,phone"
GIB = float(os.environ.get("KMSFAST_BENCH_GIB", "1"))
MEMORY_LIMIT = 200.0  # MiB
PROGRAM = Path(sys.executable).parent / "kmsfast"
LAUNCHER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("measured.py"))]
PLAIN = """
import sys, pyarrow.parquet as pq
threads = sys.argv[3] != "1"
pq.write_table(pq.read_table(sys.argv[1], use_threads=threads), sys.argv[2])
"""


def _place() -> Path:
    named, memory = os.environ.get("KMSFAST_BENCH_DIR"), Path("/dev/shm")
    if named:
        return Path(named)
    needed = int(4.5 * GIB * (1 << 30))  # the file, encrypted, once more, copied
    if memory.is_dir() and shutil.disk_usage(memory).free > needed:
        return memory
    return Path(tempfile.gettempdir())


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A directory with a store, whose key is ``alias/bench``; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="kmsfast-bench-", dir=_place()) as name:
        with kmsfast.open(Path(name) / "store", create=True) as kms:
            kms.create_key(alias="alias/bench")
        yield Path(name)


def _run(*command: str | Path) -> float:
    """Runs a program to its end; returns its peak resident memory in MiB."""
    done = subprocess.run(
        LAUNCHER + [str(part) for part in command], check=True, capture_output=True, text=True
    )
    return int(done.stdout.splitlines()[-1]) / 1024


def _kmsfast(folder: Path, *arguments: str | Path) -> float:
    return _run(PROGRAM, "--store", folder / "store", *arguments)


def test_start(folder: Path, compare: Compare) -> None:
    """What every command that opens a store takes before it does anything."""
    compare(
        Row("start of a command that opens a store vs import numpy", unit="runs/s"),
        lambda: _kmsfast(folder, "key", "list"),
        lambda: _run(sys.executable, "-c", "import numpy"),
        units=1,
        rounds=21,
    )


def _people(path: Path) -> None:
    rng = np.random.default_rng(2)
    number = rng.integers(0, 10**9, ROWS)
    cities = np.array(["Berlin", "Lagos", "Lima", "Osaka", "Oslo", "Porto", "Quito", "Turin"])
    table = pa.table({
        "id": np.arange(ROWS),
        "name": [f"Person {n % 99991:05d}" for n in number.tolist()],
        "email": [f"person.{n}@example.org" for n in number.tolist()],
        "ssn": [f"{n % 900:03d}-{n % 99:02d}-{n % 9999:04d}" for n in number.tolist()],
        "phone": [f"+49 30 {n % 10**8:08d}" for n in number.tolist()],
        "city": cities[rng.integers(0, len(cities), ROWS)],
        "amount": rng.normal(100, 25, ROWS).round(2),
        "created": rng.integers(1_500_000_000, 1_800_000_000, ROWS).astype("datetime64[s]"),
    })  # fmt: skip
    pq.write_table(table, path)


@pytest.fixture(scope="module")
def people(folder: Path) -> Path:
    """A million rows, eight columns, as pyarrow writes them by default."""
    path = folder / "people.parquet"
    _people(path)
    return path


@pytest.mark.parametrize(
    ("threads", "target", "beyond"),
    [((), 1 / 1.5, 1 / 1.2), (("--threads", "1"), None, None)],
    ids=["default threads", "one thread"],
)
def test_parquet(
    folder: Path,
    people: Path,
    compare: Compare,
    threads: tuple[str, ...],
    target: float | None,
    beyond: float | None,
) -> None:
    """Three columns encrypted, beside a program that reads and writes the file with pyarrow."""
    sealed, opened, copy = (folder / name for name in ("s.parquet", "o.parquet", "c.parquet"))
    encrypt: list[str | Path] = ["encrypt", people, "-o", sealed, "-f"]
    encrypt += ["--columns", COLUMNS, "-k", "alias/bench"]
    _kmsfast(folder, *encrypt)
    _kmsfast(folder, "decrypt", sealed, "-o", opened, "-f")
    assert pq.read_table(opened).equals(pq.read_table(people))
    compare(
        Row(
            f"Parquet 1M rows, 3 columns{', one thread' if threads else ''} vs plain read + write",
            target,
            beyond,
            unit="rows/s",
        ),
        lambda: _kmsfast(folder, *encrypt, *threads),
        lambda: _run(sys.executable, "-c", PLAIN, people, copy, threads[-1] if threads else "0"),
        units=ROWS,
        rounds=7,
        warmup=1,
    )


@pytest.fixture(scope="module")
def large(folder: Path) -> Path:
    """A file of GIB GiB."""
    path = folder / "large"
    block = np.random.default_rng(3).bytes(16 << 20)
    with path.open("wb") as file:
        for _ in range(int(GIB * 64)):
            file.write(block)
    return path


def _openssl_speed() -> float | None:
    """Bytes per second of ``openssl speed`` with AES-256-GCM at 16 KiB, or None without it."""
    if shutil.which("openssl") is None:
        return None
    measure = ["openssl", "speed", "-mr", "-seconds", "1", "-evp", "aes-256-gcm"]
    command = [*measure, "-bytes", "16384"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"^\+F:\d+:[^:]+:([\d.]+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"openssl speed printed something else: {text!r}")
    return float(found[1])


def _seconds_of_openssl(size: int) -> float:
    speed = _openssl_speed()
    assert speed is not None
    return size / speed


def _command(verb: str, source: Path, output: Path | str) -> list[str | Path]:
    command: list[str | Path] = [verb, source, "-o", output, "--threads", "1"]
    command += [] if output == "-" else ["-f"]
    return command + (["-k", "alias/bench"] if verb == "encrypt" else [])


@pytest.fixture(scope="module")
def sealed(folder: Path, large: Path) -> Path:
    """The large file, encrypted."""
    path = folder / "large.kms"
    _kmsfast(folder, *_command("encrypt", large, path))
    return path


VERBS = pytest.mark.parametrize("verb", ["encrypt", "decrypt"])


@VERBS
def test_file(folder: Path, large: Path, sealed: Path, compare: Compare, verb: str) -> None:
    """A whole file to standard output, start of the program included; OpenSSL writes nothing."""
    size, source = large.stat().st_size, large if verb == "encrypt" else sealed
    peaks: list[float] = []
    info = compare(
        Row(f"file of {GIB:g} GiB, {verb} vs openssl speed, 16 KiB", 0.5, unit="bytes/s"),
        lambda: peaks.append(_kmsfast(folder, *_command(verb, source, "-"))),
        None if _openssl_speed() is None else lambda: _seconds_of_openssl(size),
        units=size,
        rounds=5,
        warmup=1,
        own_clock=True,
    )
    peak = max(peaks)
    name = f"file of {GIB:g} GiB, {verb}: peak memory vs its limit"
    memory = Result(name, "MiB", peak, MEMORY_LIMIT, MEMORY_LIMIT / peak, 1.0, None)
    info["more"] = [asdict(memory)]


@VERBS
def test_file_to_file(folder: Path, large: Path, sealed: Path, compare: Compare, verb: str) -> None:
    """The same into a file, beside ``cp``: both pay for the memory or the disk of the output."""
    size, source = large.stat().st_size, large if verb == "encrypt" else sealed
    output, copy = folder / "large.out", folder / "large.copy"

    def ours() -> None:
        output.unlink(missing_ok=True)
        _kmsfast(folder, *_command(verb, source, output))

    def peer() -> None:
        copy.unlink(missing_ok=True)
        _run("/bin/cp", source, copy)

    name = f"file of {GIB:g} GiB, {verb} into a file vs cp"
    compare(Row(name, unit="bytes/s"), ours, peer, units=size, rounds=3, warmup=1)
    if verb == "decrypt":
        assert subprocess.run(["cmp", large, output], check=False).returncode == 0
    output.unlink()
    copy.unlink()
