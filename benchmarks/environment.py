"""What figures depend on: the machine, what is chosen on it, compiler, versions, commit.

Whatever this machine does not tell is null (in the JSON), never a guess. Nothing that names the
machine is asked for.
"""

import json
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MOTO_PYTHON = ROOT / "build" / "bench" / "moto" / "bin" / "python"

# OPENSSL_ia32cap(3): the second word is CPUID leaf 7, EBX then ECX; `~` clears bits. EBX 16, 17,
# 21, 28, 30, 31: AVX-512 F, DQ, IFMA, CD, BW, VL. ECX 9, 10 (here 41, 42): VAES, VPCLMULQDQ.
NO_VAES = ":~0x600d0230000"

# What chooses implementations (kf_dispatch.c, kf_p256_dispatch.c, kf_cpu.h).
CHOICES = {"KMSFAST_IMPL", "KMSFAST_P256_IMPL", "KMSFAST_CPU_MASK"}
PROFILES = {
    "aesni": {
        "KMSFAST_IMPL": "aesni",
        "KMSFAST_CPU_MASK": "avx512_ifma",
        "OPENSSL_ia32cap": NO_VAES,
    },
    "native": {},
}

# Those of /proc/cpuinfo that decide which way the core or a peer takes.
FLAGS = {
    "aes", "pclmulqdq", "vaes", "vpclmulqdq", "avx2", "fma", "bmi2", "adx", "sha_ni", "avx512f",
    "avx512vl", "avx512bw", "avx512ifma", "pmull", "sha2", "asimd", "hypervisor",
}  # fmt: skip
PACKAGES = (
    "kmsfast", "cffi", "cryptography", "numpy", "pyarrow", "tink", "awscrt", "aws-encryption-sdk",
    "cedarpy", "msgpack", "uvloop",
)  # fmt: skip
DISPATCH = """
import json
from kmsfast.crypto import native, p256
print(json.dumps({"aead": native.describe()["implementation"], "p256": p256.implementation()}))
"""


def describe() -> dict[str, Any]:
    """All of it, as members of a document."""
    return {
        "commit": _printed("git", "-C", str(ROOT), "rev-parse", "HEAD"),
        "changed": bool(_printed("git", "-C", str(ROOT), "status", "--porcelain")),
        "machine": machine(),
        "paths": {profile: _path(profile) for profile in PROFILES},
        "build": build(),
        "versions": versions(),
    }


def of_profile(profile: str) -> dict[str, str]:
    """The environment of a process that is measured in a profile."""
    kept = {name: value for name, value in os.environ.items() if name not in CHOICES}
    return kept | PROFILES[profile]


def machine() -> dict[str, Any]:
    """CPU, cores, memory, kernel."""
    info = _text(Path("/proc/cpuinfo")) or ""
    name = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", info, re.MULTILINE)
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {
        "cpu": name[1] if name else platform.processor() or None,
        "family_model_stepping": _numbers(info),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "flags": sorted(FLAGS & set(flags[1].split())) if flags else None,
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": platform.system(),
        "kernel": re.match(r"[\d.]*", platform.release())[0],  # without what a vendor adds
        "governor": _text(governor),
        "load": round(os.getloadavg()[0], 2),
    }


def build() -> dict[str, Any]:
    """The compiler that this Python builds extensions with, and the core's flags."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    line = _printed(compiler, "--version")
    return {
        "compiler": line.splitlines()[0] if line else None,
        "flags": (ROOT / "csrc" / "cflags.txt").read_text().split(),
    }


def versions() -> dict[str, str | None]:
    """Of Python, OpenSSL, packages and other peers; null: not here."""
    from cryptography.hazmat.backends.openssl import backend

    found: dict[str, str | None] = {
        "python": platform.python_version(),
        "openssl": _printed("openssl", "version"),
        "openssl of python": ssl.OPENSSL_VERSION,
        "openssl of cryptography": backend.openssl_version_text(),
        "moto": _printed(str(MOTO_PYTHON), "-c", _VERSION.format("moto")),
        "ipsec-mb": _printed("dpkg-query", "-W", "-f", "${Version}", "libipsec-mb-dev"),
    }
    return found | {name: _version(name) for name in PACKAGES}


_VERSION = "from importlib import metadata; print(metadata.version('{}'))"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _path(profile: str) -> dict[str, str] | None:
    """The implementations that the core chooses in a profile; None: it cannot run here."""
    done = subprocess.run(
        [sys.executable, "-c", DISPATCH],
        env=of_profile(profile),
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode else json.loads(done.stdout)


def _numbers(info: str) -> list[int] | None:
    found = [
        re.search(rf"^{name}\s*:\s*(\d+)$", info, re.MULTILINE)
        for name in ("cpu family", "model", "stepping")
    ]
    return [int(each[1]) for each in found if each] or None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _printed(*command: str) -> str | None:
    """What a command prints; None when it is not here or fails."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
