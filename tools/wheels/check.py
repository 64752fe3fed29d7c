"""Checks wheels and sdists as they are given to others. Each check prints a line or ends the run.

Usage: check.py FILE...
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import archive
import sbom
from elf import Elf

PYPROJECT = str(Path(__file__).resolve().parents[2] / "pyproject.toml")
MAX_BYTES = 1_500_000
TAG = re.compile(r"-cp311-abi3-|-cp314-cp314t-")
# glibc before 2.34 has threads in a library of their own; musl's name may have the machine in it.
LIBC = re.compile(
    r"^(libc\.so\.6|libpthread\.so\.0|ld-linux-[\w-]+\.so\.\d|libc\.so|libc\.musl-\w+\.so\.1)$"
)
HOMES = re.compile(rb"/(?:home|root|Users|tmp|work|build|project|builds|runner)/[\x21-\x7e]*")
ONLY_EXPORT = "PyInit__kmsfast"


class Fault(SystemExit):
    """What is wrong with a file, with its name."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(f"{path.name}: {text}")


def tool(path: Path, *command: str) -> str:
    """What a tool says of a file; Fault when it finds something."""
    done = subprocess.run(
        [sys.executable, "-m", *command, str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Fault(path, f"{command[0]} found:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def check_size(path: Path) -> str:
    """The wheel is small."""
    size = path.stat().st_size
    if size >= MAX_BYTES:
        raise Fault(path, f"{size:,} bytes; less than {MAX_BYTES:,} are allowed")
    return f"{size:,} bytes"


def check_record(path: Path, members: archive.Members) -> str:
    """RECORD names every file with its hash, and the archive's order and dates are ours."""
    name = f"{archive.dist_info(members)}/RECORD"
    if members[name].data != archive.record(members, name):
        raise Fault(path, "RECORD is not that of the files, or not sorted")
    with zipfile.ZipFile(path) as wheel:
        dates = {info.date_time for info in wheel.infolist()}
    if len(dates) != 1:
        raise Fault(path, f"files of {len(dates)} different times: it cannot be built again")
    return f"RECORD of {len(members)} files"


def check_sbom(path: Path, members: archive.Members) -> str:
    """The bill of materials is valid CycloneDX and says what the files say."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    name = sbom.path(members)
    if name not in members:
        raise Fault(path, f"no {name}")
    text = members[name].data.decode()
    if error := JsonStrictValidator(SchemaVersion.V1_7).validate_str(text):
        raise Fault(path, f"{name} is not CycloneDX 1.7: {error}")
    said = json.loads(text)
    for part, made in sbom.inventory(members).items():
        if said[part] != made:
            raise Fault(path, f"{name}: {part} are not those of the wheel")
    return f"SBOM of {len(said['components'])} components"


def check_elf(path: Path, name: str, data: bytes) -> str:
    """An extension needs libc alone, is stripped and hardened, and exports one function."""
    elf = Elf(data)
    if foreign := [need for need in elf.needed if not LIBC.match(need)]:
        raise Fault(path, f"{name} needs {', '.join(foreign)}: only libc is allowed")
    if elf.search_path:
        raise Fault(path, f"{name} searches for libraries in {elf.search_path}")
    if kept := [s for s in elf.sections if s == ".symtab" or s.startswith(".debug")]:
        raise Fault(path, f"{name} is not stripped: {', '.join(kept)}")
    if lacks := [what for what, there in elf.hardening.items() if not there]:
        raise Fault(path, f"{name} is without {', '.join(lacks)}")
    exported = set(elf.exports) - {"_init", "_fini"}
    if exported != {ONLY_EXPORT}:
        raise Fault(
            path, f"{name} exports {sorted(exported)}; only {ONLY_EXPORT} is meant to be seen"
        )
    return f"{elf.machine}, needs {', '.join(elf.needed)}"


def check_paths(path: Path, members: archive.Members) -> str:
    """No file tells where it was built."""
    for name in sorted(members):
        if name.endswith(sbom.NATIVE) and (found := HOMES.findall(members[name].data)):
            raise Fault(path, f"{name} has paths of the machine that built it: {found[0].decode()}")
    return "no paths of the machine that built it"


def check_wheel(path: Path) -> list[str]:
    """Everything about one wheel."""
    if not TAG.search(path.name):
        raise Fault(path, "the tag is neither cp311-abi3 nor cp314-cp314t")
    if "-linux_" in path.name:
        raise Fault(path, "not repaired by auditwheel: PyPI takes manylinux and musllinux alone")
    members = archive.read_wheel(path)
    said = [
        check_size(path),
        check_record(path, members),
        check_sbom(path, members),
        check_paths(path, members),
    ]
    native = {name: member.data for name, member in members.items() if name.endswith(sbom.NATIVE)}
    if len(native) != 1:
        raise Fault(path, f"{len(native)} extensions: {sorted(native)}")
    said += [check_elf(path, name, data) for name, data in native.items() if data[:4] == b"\x7fELF"]
    limited = "-abi3-" in path.name  # then the extension's name is known, and pyproject.toml has it
    said.append("check-wheel-contents")
    tool(
        path,
        "check_wheel_contents",
        *(["--config", PYPROJECT] if limited else ["--no-config", "--ignore", "W009"]),
    )
    if limited:
        tool(path, "abi3audit", "--strict")
        said.append("abi3audit")
    return said


def main() -> None:
    """Every file that was named."""
    paths = [Path(name) for name in sys.argv[1:]]
    if not paths:
        raise SystemExit("which files?")
    for path in paths:
        said = check_wheel(path) if path.suffix == ".whl" else [f"{path.stat().st_size:,} bytes"]
        tool(path, "twine", "check", "--strict")
        print(f"{path.name}: " + "; ".join([*said, "twine"]))


if __name__ == "__main__":
    main()
