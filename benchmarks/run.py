"""`make bench`: runs the benchmarks in both profiles and sums them up in build/bench.json.

The judged profile is that of an AES-NI machine without VAES, whatever this machine can do: kmsfast
runs its AES-NI kernels, and P-256 with FMA, and OpenSSL (the system's and the one inside
cryptography) is told that the CPU has no VAES, VPCLMULQDQ or AVX-512. The native profile leaves all
of them free and only informs.
"""

import argparse
import compileall
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from rows import JUDGED, NATIVE, Result, results, table

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
NATIVE_FILES = ["bench_kernels.py", "bench_batches.py", "bench_macs.py", "bench_signatures.py"]
FILES = [
    *NATIVE_FILES,
    "bench_keys.py",
    "bench_commands.py",
    "bench_policies.py",
    "bench_sigv4.py",
    "bench_http.py",
    "bench_audit.py",
    "bench_socket.py",
    "bench_socket_batches.py",
    "bench_openbao.py",
]

# OPENSSL_ia32cap(3): the second word is CPUID leaf 7, EBX then ECX; `~` clears bits. EBX 16, 17,
# 21, 28, 30, 31: AVX-512 F, DQ, IFMA, CD, BW, VL. ECX 9, 10 (here 41, 42): VAES, VPCLMULQDQ.
NO_VAES = ":~0x600d0230000"

# What chooses implementations (kf_dispatch.c, kf_p256_dispatch.c, kf_cpu.h).
CHOICES = {"KMSFAST_IMPL", "KMSFAST_P256_IMPL", "KMSFAST_CPU_MASK"}
ENVIRONMENT = {
    JUDGED: {
        "KMSFAST_IMPL": "aesni",
        "KMSFAST_CPU_MASK": "avx512_ifma",
        "OPENSSL_ia32cap": NO_VAES,
    },
    NATIVE: {},
}


def plan(*, with_native: bool) -> list[tuple[str, list[str]]]:
    """Profiles and their files; says so when the AES-NI kernels cannot run here."""
    from kmsfast.crypto import native

    if JUDGED in native.describe()["available"]:
        return [(JUDGED, FILES)] + ([(NATIVE, NATIVE_FILES)] if with_native else [])
    print("kmsfast's AES-NI kernels cannot run here: no row has a target")
    return [(NATIVE, FILES)]


def compile_package() -> None:
    """Byte-compiles kmsfast, as pip does when it installs a package, but not an editable one."""
    import kmsfast

    compileall.compile_dir(Path(kmsfast.__file__).parent, quiet=1)


def measure(profile: str, files: list[str], choice: str | None) -> Path:
    """Runs pytest-benchmark in a process of its own; returns its JSON."""
    target = BUILD / f"bench-{profile}.json"
    target.unlink(missing_ok=True)
    environment = {key: value for key, value in os.environ.items() if key not in CHOICES}
    environment |= ENVIRONMENT[profile] | {
        "KMSFAST_BENCH_PROFILE": profile,
        "PYTHONPATH": str(HERE),
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(HERE)]
    command += ["--benchmark-disable-gc", f"--benchmark-json={target}", "--benchmark-quiet"]
    command += ["-W", "ignore:Not saving anything"]  # where the choice left nothing, an error else
    command += [str(HERE / name) for name in files] + (["-k", choice] if choice else [])
    done = subprocess.run(command, env=environment, cwd=HERE.parent, check=False)
    if done.returncode not in {0, 5}:  # 5: the choice left nothing in these files
        sys.exit(f"the benchmarks of the {profile} profile failed")
    return target


def main() -> None:
    """Parses the arguments, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", dest="choice", help="only benchmarks whose name matches (pytest -k)")
    parser.add_argument("--no-native", action="store_true", help="the judged profile only")
    options = parser.parse_args()
    BUILD.mkdir(exist_ok=True)
    compile_package()
    start = time.monotonic()
    rows: list[Result] = []
    for profile, files in plan(with_native=not options.no_native):
        path = measure(profile, files, options.choice)
        if path.exists() and path.stat().st_size:
            rows += results(path)
    output = BUILD / "bench.json"
    output.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n")
    print(table(rows))
    short = [row.name for row in rows if row.verdict == "SHORT"]
    print(f"\n{len(rows)} rows in {time.monotonic() - start:.0f} s, {len(short)} short; {output}")


if __name__ == "__main__":
    main()
