"""The cffi builder: kf_api.h is the interface, every other .c file here is the implementation.

Files that a platform cannot use compile to nothing there (they test for the architecture
themselves), so the list needs no conditions. Test programs live in tests/c and are not listed.
"""

from pathlib import Path

import cffi

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

ffi = cffi.FFI()
ffi.cdef((HERE / "kf_api.h").read_text())
ffi.set_source(
    "_kmsfast",
    '#include "kf.h"',
    sources=sorted(str(path.relative_to(ROOT)) for path in HERE.glob("kf_*.c")),
    depends=sorted(str(path.relative_to(ROOT)) for path in HERE.glob("kf_*.h")),
    include_dirs=["csrc"],
    extra_compile_args=(HERE / "cflags.txt").read_text().split(),
    py_limited_api=True,
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
)
