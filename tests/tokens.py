"""SoftHSM tokens for the tests: made by softhsm2-util before the module is loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
MODULE = next((path for path in MODULES if os.path.exists(path)), None)  # noqa: PTH110


def has_softhsm() -> bool:
    return bool(MODULE and shutil.which("softhsm2-util") and find_spec("pkcs11"))


needs_softhsm = pytest.mark.skipif(
    not has_softhsm(),
    reason="needs SoftHSM 2 (Debian: softhsm2) and the extra pkcs11",
)
PIN = "kmsuser-pin"
CLUSTERS = {f"cluster-{letter * 11}": f"token-{letter}" for letter in "abcd"}


class SoftHsm:
    """A directory of tokens, one for each of the clusters."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.tokens = directory, directory / "tokens"
        self.tokens.mkdir(parents=True)
        self.conf = directory / "softhsm2.conf"
        self.conf.write_text(
            f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        for label in CLUSTERS.values():
            self.util("--init-token", "--free", "--label", label, "--pin", PIN)

    @property
    def environment(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.conf)}

    def util(self, *arguments: str) -> None:
        subprocess.run(
            ["softhsm2-util", *arguments, "--so-pin", "12345678"],
            env={**os.environ, **self.environment}, capture_output=True, check=True,
        )  # fmt: skip

    def configuration(self) -> str:
        """The clusters, for ``key-stores.toml``."""
        return "".join(
            f'[clusters.{cluster}]\nmodule = "{MODULE}"\ntoken = "{label}"\n'
            for cluster, label in CLUSTERS.items()
        )


def certificate(directory: Path, name: str = "customerCA") -> str:
    """A self-signed certificate, PEM."""
    path = directory / f"{name}.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", directory / f"{name}.key", "-out", path, "-subj", f"/CN={name}",
         "-addext", "subjectAltName=DNS:xks.example.com", "-days", "2"],
        capture_output=True, check=True,
    )  # fmt: skip
    return path.read_text()
