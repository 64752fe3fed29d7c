"""tools/wheels/check.py lets a good wheel pass and finds each fault: on wheels made in a moment.

The extension is one function in C, linked as releases link theirs; the real wheel is checked by
``make wheel``, which takes a minute.
"""

from __future__ import annotations

import json
import platform
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wheel_tools import TOOLS, needs_wheel_tools, run, said

sys.path.insert(0, str(TOOLS))

import archive
import baseline
import sbom

pytestmark = [
    needs_wheel_tools,
    pytest.mark.skipif(
        not (shutil.which("gcc") and sys.platform == "linux"), reason="needs gcc on Linux"
    ),
]
SOURCE = """
void *PyModuleDef_Init(void *);
int getpid(void);
static int d;
void *PyInit__kmsfast(void) { return getpid() ? PyModuleDef_Init(&d) : 0; }
"""
RELEASE = ["-s", "-Wl,--build-id=none", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
NAME = "kmsfast-1.0-cp311-abi3-manylinux_2_34_x86_64.whl"
INFO = "kmsfast-1.0.dist-info"
ABOUT = f"{INFO}/METADATA"
METADATA = """Metadata-Version: 2.4
Name: kmsfast
Version: 1.0
License-Expression: Apache-2.0
Description-Content-Type: text/plain
Requires-Dist: numpy>=2.0,<3
Requires-Dist: pyarrow>=18; extra == "arrow"

What it is.
"""
WHEEL = """Wheel-Version: 1.0
Generator: x
Root-Is-Purelib: false
Tag: cp311-abi3-manylinux_2_34_x86_64
"""


@pytest.fixture(autouse=True)
def time_of_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def extension(directory: Path, flags: list[str], source: str = SOURCE) -> bytes:
    (directory / "x.c").write_text(source)
    out = directory / "x.so"
    command = [
        "gcc",
        "-shared",
        "-fPIC",
        "-O1",
        "-g0",
        "x.c",
        "-o",
        out,
        "-fvisibility=default",
        *flags,
    ]
    subprocess.run(command, cwd=directory, check=True)
    return out.read_bytes()


def files(native: bytes) -> archive.Members:
    made = {
        "_kmsfast.abi3.so": archive.Member(native, executable=True),
        "kmsfast/__init__.py": archive.Member(b'"""x"""\n'),
        ABOUT: archive.Member(METADATA.encode()),
        f"{INFO}/WHEEL": archive.Member(WHEEL.encode()),
        f"{INFO}/top_level.txt": archive.Member(b"_kmsfast\nkmsfast\n"),
    }
    return made | {sbom.path(made): archive.Member(sbom.encoded(made))}


def checked(directory: Path, members: archive.Members, name: str = NAME) -> tuple[int, str]:
    """The exit code of check.py and what it says."""
    path = directory / name
    archive.write_wheel(path, members)
    done = run("check.py", path)
    return done.returncode, said(done)


def test_a_good_wheel_passes(tmp_path: Path) -> None:
    code, text = checked(tmp_path, files(extension(tmp_path, RELEASE)))
    assert code == 0, text
    assert "needs libc.so.6; check-wheel-contents; abi3audit; twine" in text


def without(*flags: str) -> list[str]:
    return [flag for flag in RELEASE if flag not in flags]


LINKED = [
    (["-Wl,--no-as-needed", "-lm", *RELEASE], SOURCE, "needs libm.so.6"),
    (["-Wl,-rpath,/nowhere/lib", *RELEASE], SOURCE, "searches for libraries in /nowhere/lib"),
    (without("-s"), SOURCE, "is not stripped: .symtab"),
    ([*without("-Wl,-z,relro"), "-Wl,-z,norelro"], SOURCE, "without a read-only table"),
    ([*without("-Wl,-z,now"), "-Wl,-z,lazy"], SOURCE, "without binding at load"),
    ([*without("-Wl,-z,noexecstack"), "-Wl,-z,execstack"], SOURCE, "a stack that is not"),
    (RELEASE, SOURCE + "int kf_bare(void) { return 1; }\n", "'PyInit__kmsfast', 'kf_bare'"),
    (RELEASE, SOURCE + 'const char *volatile kf_x = "/home/ada/kf.c";\n', "/home/ada/kf.c"),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "source", "finding"), LINKED)
def test_a_fault_of_the_extension_is_found(
    flags: list[str], source: str, finding: str, tmp_path: Path
) -> None:
    code, text = checked(tmp_path, files(extension(tmp_path, flags, source)))
    assert code == 1
    assert finding in text


def of_sbom(
    change: Callable[[dict[str, Any]], object],
) -> Callable[[archive.Members], archive.Members]:
    """Wheels whose bill of materials was changed."""

    def changed(members: archive.Members) -> archive.Members:
        body = json.loads(members[sbom.path(members)].data)
        change(body)
        return members | {sbom.path(members): archive.Member(json.dumps(body).encode())}

    return changed


def fewer(members: archive.Members, name: str) -> archive.Members:
    return {path: member for path, member in members.items() if path != name}


PACKED: list[tuple[Callable[[archive.Members], archive.Members], str, str]] = [
    (lambda m: m, NAME.replace("manylinux_2_34", "linux"), "not repaired by auditwheel"),
    (lambda m: m, NAME.replace("cp311-abi3", "cp312-cp312"), "the tag is neither"),
    (lambda m: fewer(m, sbom.path(m)), NAME, "no kmsfast-1.0.dist-info/sboms/kmsfast.cdx.json"),
    (of_sbom(lambda body: body["components"].pop()), NAME, "components are not those of the wheel"),
    (of_sbom(lambda body: body.update(bomFormat="SPDX")), NAME, "is not CycloneDX 1.7"),
    (lambda m: fewer(m, "_kmsfast.abi3.so"), NAME, "are not those of the wheel"),
    (lambda m: m | {"tests/x.py": archive.Member(b"x = 1\n")}, NAME, "check_wheel_contents found"),
    (lambda m: m | {ABOUT: archive.Member(m[ABOUT].data.replace(b"text/plain", b"text/x"))},
     NAME, "twine found"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "name", "finding"), PACKED)
def test_a_fault_of_the_wheel_is_found(
    change: Callable[[archive.Members], archive.Members], name: str, finding: str, tmp_path: Path
) -> None:
    code, text = checked(tmp_path, change(files(extension(tmp_path, RELEASE))), name)
    assert code == 1
    assert finding in text


def test_a_large_wheel_is_found(tmp_path: Path) -> None:
    noise = archive.Member(random.Random(1).randbytes(1_600_000))
    code, text = checked(
        tmp_path, files(extension(tmp_path, RELEASE)) | {"kmsfast/noise.py": noise}
    )
    assert code == 1
    assert "less than 1,500,000 are allowed" in text


def test_a_record_of_other_files_is_found(tmp_path: Path) -> None:
    path = tmp_path / NAME
    archive.write_wheel(path, files(extension(tmp_path, RELEASE)))
    with zipfile.ZipFile(path, "a") as wheel:
        wheel.writestr("kmsfast/added.py", "x = 1\n")
    done = run("check.py", path)
    assert done.returncode == 1
    assert "RECORD is not that of the files" in said(done)


# ---- bytes ---------------------------------------------------------------------------------------


def test_a_wheel_depends_on_its_files_alone(tmp_path: Path) -> None:
    members = files(b"\x7fELF")
    shuffled = dict(reversed(members.items()))
    for name, order in (("a.whl", members), ("b.whl", shuffled)):
        archive.write_wheel(tmp_path / name, order)
    assert (tmp_path / "a.whl").read_bytes() == (tmp_path / "b.whl").read_bytes()
    read = archive.read_wheel(tmp_path / "a.whl")
    assert {**read, f"{INFO}/RECORD": None} == {**members, f"{INFO}/RECORD": None}


def test_the_bill_of_materials_says_what_is_inside_and_what_is_beside() -> None:
    body = sbom.document(fewer(files(b"\x7fELF"), f"{INFO}/sboms/{sbom.NAME}"))
    kinds = {component["name"]: component for component in body["components"]}
    assert kinds["_kmsfast.abi3.so"]["hashes"][0]["alg"] == "SHA-256"
    assert "isExternal" not in kinds["cffi"]
    assert kinds["numpy"] | {"bom-ref": ""} == {
        "type": "library", "bom-ref": "", "name": "numpy", "purl": "pkg:pypi/numpy",
        "isExternal": True, "versionRange": "vers:pypi/>=2.0|<3",
    }  # fmt: skip
    assert "pyarrow" not in kinds
    assert body["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"


# ---- instructions --------------------------------------------------------------------------------

KERNEL = """
#include <immintrin.h>
void kf_sum(float *out, const float *a, const float *b) {
    for (int i = 0; i < 64; i++) out[i] = a[i] * b[i] + out[i];
}
"""


def compiled(directory: Path, name: str, *flags: str) -> Path:
    place = directory / "csrc"
    place.mkdir(exist_ok=True)
    (place / "x.c").write_text(KERNEL)
    subprocess.run(["gcc", "-O3", *flags, "-c", "x.c", "-o", name], cwd=place, check=True)
    return directory


@pytest.mark.skipif(platform.machine() != "x86_64", reason="of x86-64")
def test_instructions_that_not_every_cpu_has_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline.check(compiled(tmp_path, "kf_blob.o", "-march=x86-64"))
    assert "1 objects, 1 functions, x86-64 alone; 0 dispatched" in capsys.readouterr().out
    baseline.check(compiled(tmp_path, "kf_p256_fma.o", "-march=haswell"))
    assert "1 dispatched" in capsys.readouterr().out
    compiled(tmp_path, "kf_blob.o", "-march=haswell")
    with pytest.raises(SystemExit, match=r"kf_blob\.o: vfmadd\w+ in kf_sum"):
        baseline.check(tmp_path)


def test_a_check_of_no_objects_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no objects"):
        baseline.check(tmp_path)
