"""Key material wrapped for import by the ``openssl`` command, as users of AWS KMS do it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import kmsfast

__all__ = ["FOREVER", "bring", "external", "openssl", "private_key", "wrap"]

FOREVER: dict[str, Any] = {"expiration_model": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def external(
    kms: kmsfast.Kms, spec: str = "SYMMETRIC_DEFAULT", usage: str | None = None
) -> kmsfast.Key:
    """A key that waits for its material."""
    return kms.create_key(spec=spec, usage=usage, origin="EXTERNAL")


def bring(
    key: kmsfast.Key,
    material: bytes,
    algorithm: str = "RSAES_OAEP_SHA_256",
    spec: str = "RSA_2048",
    **given: Any,
) -> kmsfast.ImportedMaterial:
    """The whole way of one import; by default the material does not expire."""
    asked = key.get_parameters_for_import(wrapping_algorithm=algorithm, wrapping_key_spec=spec)
    wrapped = wrap(asked.public_key, algorithm, material)
    return key.import_key_material(asked.import_token, wrapped, **(given or FOREVER))


def openssl(*args: str, given: bytes = b"") -> bytes:
    """What ``openssl`` prints."""
    return subprocess.run(["openssl", *args], input=given, capture_output=True, check=True).stdout


def wrap(public: bytes, algorithm: str, material: bytes) -> bytes:
    """The material, wrapped under a DER public key by one of AWS's wrapping algorithms."""
    hash_name = "sha1" if algorithm.endswith("SHA_1") else "sha256"
    if algorithm.startswith("RSAES"):
        return _oaep(public, material, hash_name)
    aes = os.urandom(32)
    inner = openssl(
        "enc", "-id-aes256-wrap-pad", "-K", aes.hex(), "-iv", "A65959A6", given=material
    )
    return _oaep(public, aes, hash_name) + inner


def private_key(*options: str) -> bytes:
    """A fresh private key, as DER PrivateKeyInfo; ``options`` are those of ``openssl genpkey``."""
    pem = openssl("genpkey", *options)
    return openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", given=pem)


def _oaep(public: bytes, data: bytes, hash_name: str) -> bytes:
    options = ["rsa_padding_mode:oaep", f"rsa_oaep_md:{hash_name}", f"rsa_mgf1_md:{hash_name}"]
    pkeyopts = [part for option in options for part in ("-pkeyopt", option)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "public.der")
        path.write_bytes(public)
        return openssl(
            "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", str(path), *pkeyopts,
            given=data,
        )  # fmt: skip
