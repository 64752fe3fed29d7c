"""NIST's CAVP files for SHA-2 and RFC 4231's for HMAC, through the C suite (SOURCES)."""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from pathlib import Path

import c_suite
import pytest

pytestmark = pytest.mark.sources  # of the C suite

# A file of the package cryptography-vectors, and how many cases it has.
FILES = {
    **{f"hashes/SHA2/SHA{bits}ShortMsg.rsp": 65 for bits in (224, 256)},
    **{f"hashes/SHA2/SHA{bits}LongMsg.rsp": 64 for bits in (224, 256)},
    **{f"hashes/SHA2/SHA{bits}ShortMsg.rsp": 129 for bits in (384, 512)},
    **{f"hashes/SHA2/SHA{bits}LongMsg.rsp": 128 for bits in (384, 512)},
    **{f"HMAC/rfc-4231-sha{bits}.txt": 6 for bits in (224, 256, 384, 512)},
}


def copy_of(name: str, tmp_path: Path) -> Path:
    with as_file(files("cryptography_vectors") / name) as source:
        copy = tmp_path / source.name
        copy.write_text(source.read_text())
    return copy


@pytest.mark.parametrize("cpu_mask", ["", "shani"])
@pytest.mark.parametrize("name", FILES)
def test_every_case_gives_the_known_answer(name: str, cpu_mask: str, tmp_path: Path) -> None:
    vectors = copy_of(name, tmp_path)
    done = c_suite.run_library("hash_vectors", "--rsp", str(vectors), cpu_mask=cpu_mask)
    assert done.returncode == 0, done.stdout
    assert f"  {FILES[name]} cases of {vectors}\n" in done.stdout


@pytest.mark.parametrize("name", ["hashes/SHA2/SHA384ShortMsg.rsp", "HMAC/rfc-4231-sha256.txt"])
@pytest.mark.parametrize("field", ["Msg", "MD"])
def test_a_wrong_answer_is_noticed(name: str, field: str, tmp_path: Path) -> None:
    vectors = copy_of(name, tmp_path)
    wrong, count = re.subn(
        rf"(?m)^({field} = )(\w)", lambda m: f"{m[1]}{int(m[2], 16) ^ 1:x}", vectors.read_text()
    )
    assert count == FILES[name]
    vectors.write_text(wrong)
    done = c_suite.run_library("hash_vectors", "--rsp", str(vectors))
    assert done.returncode == 1, done.stdout
