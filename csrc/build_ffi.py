"""The cffi builder: kf_api.h is the interface, every other .c file here is the implementation.

Files that a platform cannot use compile to nothing there (they test for the architecture
themselves), so the list needs no conditions. Test programs live in tests/c and are not listed.

Rules:
- one extension for every CPython from 3.11 on, by the limited API; a free-threaded interpreter has
  none, so it gets one of its own;
- with KMSFAST_RELEASE=1, what is built for others: instructions that every CPU of the architecture
  has (more is dispatched at run time), no symbols or paths of the machine that built it.
"""

import os
import sys
import sysconfig
from pathlib import Path

import cffi

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")
BASELINE = {
    "linux-x86_64": ["-march=x86-64", "-mtune=generic"],
    "linux-aarch64": ["-march=armv8-a"],
}


def release() -> tuple[list[str], list[str]]:
    """Flags of the compiler and of the linker for an extension that is given away."""
    if os.environ.get("KMSFAST_RELEASE") != "1":
        return [], []
    compiler = ["-g0", f"-ffile-prefix-map={ROOT}=kmsfast"]
    if sys.platform != "linux":
        return compiler, ["-Wl,-x"]
    linker = ["-Wl,-s", "-Wl,--build-id=none", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
    return [*compiler, *BASELINE.get(sysconfig.get_platform(), [])], linker


compiler_flags, linker_flags = release()
ffi = cffi.FFI()
ffi.cdef((HERE / "kf_api.h").read_text())
ffi.set_source(
    "_kmsfast",
    '#include "kf.h"',
    sources=sorted(str(path.relative_to(ROOT)) for path in HERE.glob("kf_*.c")),
    depends=sorted(str(path.relative_to(ROOT)) for path in HERE.glob("kf_*.h")),
    include_dirs=["csrc"],
    extra_compile_args=[*(HERE / "cflags.txt").read_text().split(), *compiler_flags],
    extra_link_args=linker_flags,
    py_limited_api=LIMITED,
    define_macros=[("KF_PYTHON", "1"), *([("Py_LIMITED_API", "0x030B0000")] if LIMITED else [])],
)
