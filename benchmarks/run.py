"""`make bench`: runs the benchmarks in both profiles and sums them up in build/bench.json.

The judged profile is that of an AES-NI machine without VAES, whatever this machine can do: kmsfast
runs its AES-NI kernels, and P-256 with FMA, and OpenSSL (the system's and the one inside
cryptography) is told that the CPU has no VAES, VPCLMULQDQ or AVX-512. The native profile leaves all
of them free and only informs.
"""

import argparse
import compileall
import subprocess
import sys
import time
from pathlib import Path

import document
from document import BUILD, HERE
from environment import of_profile
from rows import JUDGED, NATIVE, Result, results, table

NATIVE_FILES = ["bench_kernels.py", "bench_batches.py", "bench_macs.py", "bench_signatures.py"]
FILES = [
    *NATIVE_FILES,
    "bench_keys.py",
    "bench_frames.py",
    "bench_commands.py",
    "bench_policies.py",
    "bench_sigv4.py",
    "bench_http.py",
    "bench_audit.py",
    "bench_socket.py",
    "bench_socket_batches.py",
    "bench_openbao.py",
]

# What --quick makes of it: every row, by fewer and shorter rounds (conftest.py).
QUICK = {"KMSFAST_BENCH_QUICK": "1", "KMSFAST_BENCH_GIB": "0.125"}


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


def measure(
    profile: str, files: list[str], choice: str | None, more: dict[str, str]
) -> tuple[Path, bool]:
    """Runs pytest-benchmark in a process of its own; returns its JSON, and whether all ran."""
    target = BUILD / f"bench-{profile}.json"
    BUILD.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)
    environment = of_profile(profile) | more
    environment |= {"KMSFAST_BENCH_PROFILE": profile, "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(HERE)]
    command += ["--benchmark-disable-gc", f"--benchmark-json={target}", "--benchmark-quiet"]
    command += ["-W", "ignore:Not saving anything"]  # where the choice left nothing, an error else
    command += [str(HERE / name) for name in files] + (["-k", choice] if choice else [])
    done = subprocess.run(command, env=environment, cwd=HERE.parent, check=False)
    if done.returncode not in {0, 1, 5}:  # 1: a benchmark failed; 5: the choice left nothing
        sys.exit(f"the benchmarks of the {profile} profile could not be run")
    return target, done.returncode != 1


def main() -> None:
    """Parses the arguments, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", dest="choice", help="only benchmarks whose name matches (pytest -k)")
    parser.add_argument("--no-native", action="store_true", help="the judged profile only")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the judged profile in about two minutes, to see that all runs",
    )
    options = parser.parse_args()
    compile_package()
    start = time.monotonic()
    rows: list[Result] = []
    failed: list[str] = []
    for profile, files in plan(with_native=not (options.no_native or options.quick)):
        began = time.monotonic()
        path, whole = measure(profile, files, options.choice, QUICK if options.quick else {})
        print(f"{profile}: {time.monotonic() - began:.0f} s", flush=True)
        failed += [] if whole else [profile]
        if path.exists() and path.stat().st_size:
            rows += results(path, profile)
    output = BUILD / ("bench-quick.json" if options.quick else "bench.json")
    document.write(output, start, rows=rows, quick=options.quick, choice=options.choice)
    print(table(rows))
    short = [row.name for row in rows if row.verdict == "SHORT"]
    print(f"\n{len(rows)} rows in {time.monotonic() - start:.0f} s, {len(short)} short; {output}")
    if failed:
        sys.exit(f"benchmarks failed, see above, and have no rows: {', '.join(failed)}")


if __name__ == "__main__":
    main()
