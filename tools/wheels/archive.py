"""Archives whose bytes depend on nothing but what is in them: sorted, dated by one time, one owner.

Rules:
- the time is SOURCE_DATE_EPOCH (reproducible-builds.org), that of the commit;
- a wheel's RECORD is made anew from its files (binary distribution format, PyPA specifications);
- the compressor is zlib of the running Python: another zlib may give other bytes of the same files.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import os
import tarfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

LEVEL = 9
EXECUTABLE = 0o755
PLAIN = 0o644


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive."""

    data: bytes
    executable: bool = False

    @property
    def mode(self) -> int:
        """Permissions: those of an executable or of a plain file, whatever they were before."""
        return EXECUTABLE if self.executable else PLAIN


Members = dict[str, Member]


def epoch() -> int:
    """SOURCE_DATE_EPOCH. Raises SystemExit when it is not set."""
    value = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not value.isdigit():
        raise SystemExit(
            f"SOURCE_DATE_EPOCH is {value!r}: set it to the commit's time, "
            "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"
        )
    return int(value)


def digest(data: bytes) -> str:
    """A SHA-256 as RECORD has it: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def record(members: Members, name: str) -> bytes:
    """The RECORD of a wheel, itself called ``name``."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for path in sorted(members.keys() - {name}):
        data = members[path].data
        rows.writerow([path, f"sha256={digest(data)}", len(data)])
    rows.writerow([name, "", ""])
    return text.getvalue().encode()


def dist_info(members: Members) -> str:
    """The name of a wheel's one .dist-info directory."""
    (found,) = {path.split("/")[0] for path in members if ".dist-info/" in path}
    return found


def read_wheel(path: Path) -> Members:
    """The files of a wheel, by name."""
    members: Members = {}
    with zipfile.ZipFile(path) as wheel:
        for info in wheel.infolist():
            if not info.is_dir():
                mode = info.external_attr >> 16
                members[info.filename] = Member(wheel.read(info), bool(mode & 0o100))
    return members


def write_wheel(path: Path, members: Members) -> None:
    """Writes a wheel with a new RECORD; the directory of metadata comes last, RECORD at its end."""
    info_directory = dist_info(members)
    name = f"{info_directory}/RECORD"
    members = {**members, name: Member(record(members, name))}
    date = time.gmtime(max(epoch(), 315532800))[:6]  # zip knows no year before 1980
    order = sorted(members, key=lambda p: (p.startswith(info_directory + "/"), p == name, p))
    with zipfile.ZipFile(path, "w") as wheel:
        for member in order:
            info = zipfile.ZipInfo(member, date)
            info.create_system = 3  # Unix, on whatever system it is made
            info.external_attr = (0o100000 | members[member].mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(info, members[member].data, compresslevel=LEVEL)


def retagged(path: Path, platform: str) -> Path:
    """The wheel with another platform in its name and in WHEEL; the file is renamed."""
    members = read_wheel(path)
    name, version, python, abi, _ = path.stem.split("-")
    about = f"{dist_info(members)}/WHEEL"
    kept = [
        line
        for line in members[about].data.decode().splitlines()
        if line and not line.startswith("Tag:")
    ]
    members[about] = Member("\n".join([*kept, f"Tag: {python}-{abi}-{platform}", ""]).encode())
    path.unlink()
    renamed = path.with_name(f"{name}-{version}-{python}-{abi}-{platform}.whl")
    write_wheel(renamed, members)
    return renamed


def rewrite_sdist(path: Path) -> None:
    """Writes a .tar.gz anew: sorted, dated, without owners."""
    members: Members = {}
    with tarfile.open(path) as sdist:
        for entry in sdist.getmembers():
            source = sdist.extractfile(entry) if entry.isfile() else None
            if source is not None:
                members[entry.name] = Member(source.read(), bool(entry.mode & 0o100))
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.PAX_FORMAT) as sdist:
        for name in sorted(members):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = (
                len(members[name].data),
                members[name].mode,
                epoch(),
            )
            sdist.addfile(entry, io.BytesIO(members[name].data))
    path.write_bytes(gzip.compress(text.getvalue(), LEVEL, mtime=epoch()))
