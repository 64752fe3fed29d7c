# The compiled extension (csrc/build_ffi.py); its interface is csrc/kf_api.h.

from typing import Any

ffi: Any
lib: Any
