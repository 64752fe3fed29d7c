"""Builds the one extension, ``_kmsfast``; everything else is in pyproject.toml."""

import sysconfig

from setuptools import setup

LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    cffi_modules=["csrc/build_ffi.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED else {},
)
