"""Shows that a wheel, as it is installed, works on x86-64 CPUs that have no AES instructions.

Rules:
- qemu-user takes the place of the CPU; where it is not, there is no proof, and the run fails;
- the core alone is loaded on the oldest CPU of the architecture (SSE2); the whole package on the
  oldest that numpy takes (x86-64-v2: Nehalem, 2008), where the published vectors run as well;
- the core must say that its portable implementation was chosen: on a CPU with more it would not be.
Usage: old_cpu.py WHEEL
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from environments import emulator, environment, one_wheel, pythons, without_repository

HERE = Path(__file__).resolve().parent
OLDEST = "qemu64,-sse3,-cx16,-svm"
WITHOUT_AES = "Nehalem"
# kf_init runs the self-test: known answers of every primitive on the chosen implementation.
CORE = """
import _kmsfast
lib, ffi = _kmsfast.lib, _kmsfast.ffi
assert lib.kf_init() == 0
print(ffi.string(lib.kf_impl_name()).decode(), ffi.string(lib.kf_cpu_features()).decode() or "none")
"""
WHOLE = """
import sys, tempfile, kmsfast
from kmsfast.crypto import native, p256
about = native.describe()
with tempfile.TemporaryDirectory() as place, kmsfast.open(place + "/store", create=True) as kms:
    key = kms.create_key(alias="alias/old")
    values = [bytes([n]) * n for n in range(200)]
    blobs = key.encrypt_batch(values, context={"on": "old"})
    assert kms.decrypt_batch(blobs, context={"on": "old"}) == values
    signer = kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")
    signer.verify(b"message", signer.sign(b"message"))
print(about["implementation"], p256.implementation())
"""


def emulated(qemu: str, cpu: str, python: Path, *arguments: str | Path) -> str:
    """The output of a Python program on a CPU; SystemExit with it when it fails."""
    command = [qemu, "-cpu", cpu, python, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=without_repository(), timeout=900
    )
    if done.returncode:
        raise SystemExit(f"on {cpu}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """The core, the package, the vectors."""
    wheel = one_wheel(sys.argv[1:])
    qemu = emulator("qemu-x86_64", "qemu-user")
    with tempfile.TemporaryDirectory(prefix="kmsfast-cpu-") as directory:
        python = environment(pythons([sys.executable])[0], wheel, Path(directory, "venv"))
        said = {
            f"core on {OLDEST}": emulated(qemu, OLDEST, python, "-c", CORE).strip(),
            f"package on {WITHOUT_AES}": emulated(qemu, WITHOUT_AES, python, "-c", WHOLE).strip(),
        }
        for where, what in said.items():
            print(f"{where}: {what}")
            if not what.startswith("portable"):
                raise SystemExit(
                    f"{where}: chose {what}, not the portable implementation: has it AES after all?"
                )
        print(
            emulated(qemu, WITHOUT_AES, python, HERE / "run_tests.py", "vectors").splitlines()[-1]
        )


if __name__ == "__main__":
    main()
