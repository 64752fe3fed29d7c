"""The formats once more, in plain Python on `cryptography`, written from docs/ alone.

Slow and without any protection of keys: its only use is to check the C core against something that
shares no line with it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)


def hkdf(material: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(material)


def canonical(context: dict[str, str] | None) -> bytes:
    pairs = sorted((k.encode(), v.encode()) for k, v in (context or {}).items())
    return b"".join(len(part).to_bytes(4, "big") + part for pair in pairs for part in pair)


# ---- XAES-256-GCM (C2SP) --------------------------------------------------------------------


def xaes_message_key(key: bytes, nonce: bytes) -> bytes:
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    low = int.from_bytes(ecb.update(bytes(16)), "big")
    k1 = ((low << 1) & (2**128 - 1)) ^ (0x87 if low >> 127 else 0)
    halves = b""
    for counter in (1, 2):
        block = bytes([0, counter, 0x58, 0]) + nonce[:12]
        halves += ecb.update((int.from_bytes(block, "big") ^ k1).to_bytes(16, "big"))
    return halves


def xaes_seal(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    return AESGCM(xaes_message_key(key, nonce)).encrypt(nonce[12:], plaintext, aad)


def xaes_open(key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
    return AESGCM(xaes_message_key(key, nonce)).decrypt(nonce[12:], ciphertext, aad)


# ---- key hierarchy (docs/key-hierarchy.md) --------------------------------------------------


def _unwrap(key: bytes, wrapped: bytes, aad: bytes) -> bytes:
    return xaes_open(key, wrapped[:24], wrapped[24:], aad)


def unwrap_store_key(root_file: bytes, wrapped: bytes, store_id: bytes) -> bytes:
    assert root_file[:16] == b"kmsfast-root-v1\n"
    key = hkdf(root_file[16:], b"kmsfast root wrap v1", store_id)
    return _unwrap(key, wrapped, b"store key" + store_id)


def material_wrap_key(store_key: bytes, store_id: bytes) -> bytes:
    return hkdf(store_key, b"kmsfast store wrap v1", store_id)


ALGORITHM_AES256, ALGORITHM_HMAC, ALGORITHM_P256, ALGORITHM_PKCS8 = 1, 2, 3, 4


def algorithm_of(spec: str) -> int:
    """What the material of a key of this spec is wrapped as."""
    if spec.startswith("HMAC"):
        return ALGORITHM_HMAC
    named = {"SYMMETRIC_DEFAULT": ALGORITHM_AES256, "ECC_NIST_P256": ALGORITHM_P256}
    return named.get(spec, ALGORITHM_PKCS8)


def public_key_of(algorithm: int, material: bytes) -> bytes | None:
    """The public key, as DER, that belongs to private key material."""
    if algorithm == ALGORITHM_P256:
        private: Any = derive_private_key(int.from_bytes(material, "big"), SECP256R1())
    elif algorithm == ALGORITHM_PKCS8:
        private = load_der_private_key(material, None)
    else:
        return None
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _material_aad(key_id: bytes, version: int, flags: int, algorithm: int) -> bytes:
    return b"key material" + bytes([algorithm, flags]) + key_id + version.to_bytes(4, "big")


def unwrap_material(
    store_key: bytes,
    store_id: bytes,
    wrapped: bytes,
    key_id: bytes,
    version: int,
    flags: int = 0,
    algorithm: int = ALGORITHM_AES256,
) -> bytes:
    key = material_wrap_key(store_key, store_id)
    return _unwrap(key, wrapped, _material_aad(key_id, version, flags, algorithm))


def wrap_material(
    store_key: bytes,
    store_id: bytes,
    material: bytes,
    key_id: bytes,
    version: int,
    nonce: bytes,
    flags: int = 0,
) -> bytes:
    key = material_wrap_key(store_key, store_id)
    return nonce + xaes_seal(
        key, nonce, material, _material_aad(key_id, version, flags, ALGORITHM_AES256)
    )


# ---- blobs (docs/blob-format.md) ------------------------------------------------------------


def _info(key_id: bytes, version: int, flags: int) -> bytes:
    return bytes([1, flags]) + key_id + version.to_bytes(4, "big")


def prefix(material: bytes, key_id: bytes, version: int, flags: int = 0) -> bytes:
    header = b"\xf5\x01\x01" + bytes([flags]) + key_id + version.to_bytes(4, "big")
    return header + hkdf(material, b"kmsfast key commitment v1", _info(key_id, version, flags))


def xaes_key(material: bytes, key_id: bytes, version: int, flags: int = 0) -> bytes:
    return hkdf(material, b"kmsfast XAES-256-GCM v1", _info(key_id, version, flags))


def digest(start: bytes, context: dict[str, str] | None) -> bytes:
    return hashlib.sha256(b"kmsfast blob v1\0" + start + canonical(context)).digest()


def open_blob(
    material: bytes, blob: bytes, context: dict[str, str] | None, aad: bytes = b""
) -> bytes:
    flags, key_id, version = blob[3], blob[4:20], int.from_bytes(blob[20:24], "big")
    assert blob[:56] == prefix(material, key_id, version, flags)
    key = xaes_key(material, key_id, version, flags)
    return xaes_open(key, blob[56:80], blob[80:], digest(blob[:56], context) + aad)


def seal_blob(
    material: bytes,
    key_id: bytes,
    version: int,
    nonce: bytes,
    plaintext: bytes,
    context: dict[str, str] | None,
    aad: bytes = b"",
    flags: int = 0,
) -> bytes:
    start = prefix(material, key_id, version, flags)
    key = xaes_key(material, key_id, version, flags)
    return start + nonce + xaes_seal(key, nonce, plaintext, digest(start, context) + aad)


# ---- sealed batches (docs/sealed-format.md) -------------------------------------------------


def open_sealed(
    material: bytes, header: bytes, records: list[bytes], context: dict[str, str] | None
) -> list[bytes]:
    data_key = open_blob(material, header[8:136], context)
    bound = hashlib.sha256(b"kmsfast sealed v1\0" + header + canonical(context)).digest()
    gcm = AESGCM(hkdf(data_key, b"kmsfast sealed batch v1", bound))
    last = len(records) - 1
    return [
        gcm.decrypt(i.to_bytes(8, "big") + (i == last).to_bytes(4, "big"), record, bound)
        for i, record in enumerate(records)
    ]


# ---- one ciphertext, two keys ---------------------------------------------------------------


def gf_mul(x: int, y: int) -> int:
    """Product in GHASH's field, bits in SP 800-38D's order."""
    z = 0
    for i in range(127, -1, -1):
        if (x >> i) & 1:
            z ^= y
        y = (y >> 1) ^ (0xE1 << 120 if y & 1 else 0)
    return z


def gf_inverse(x: int) -> int:
    result, square = 1 << 127, x  # 1 << 127 is the field's one
    exponent = 2**128 - 2
    while exponent:
        if exponent & 1:
            result = gf_mul(result, square)
        square = gf_mul(square, square)
        exponent >>= 1
    return result


def _ghash(h: int, blocks: list[int]) -> int:
    y = 0
    for block in blocks:
        y = gf_mul(y ^ block, h)
    return y


def _blocks(data: bytes) -> list[int]:
    padded = data + bytes(-len(data) % 16)
    return [int.from_bytes(padded[i : i + 16], "big") for i in range(0, len(padded), 16)]


def two_key_ciphertext(
    keys: tuple[bytes, bytes], nonce: bytes, aads: tuple[bytes, bytes], body: bytes
) -> bytes:
    """Ciphertext and tag that AES-GCM accepts under both keys (Dodis and others, 2018).

    One block is chosen so that the two tags agree, which is one linear equation over the field.
    """
    data = body + bytes(-len(body) % 16) + bytes(16)
    places = len(data) // 16
    sides = []
    for key, aad in zip(keys, aads, strict=True):
        ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        h = int.from_bytes(ecb.update(bytes(16)), "big")
        mask = int.from_bytes(ecb.update(nonce + b"\0\0\0\1"), "big")
        lengths = (len(aad) * 8 << 64) | (len(data) * 8)
        sides.append((h, mask, [*_blocks(aad), *_blocks(data), lengths]))
    constants = [mask ^ _ghash(h, blocks) for h, mask, blocks in sides]
    squares = [gf_mul(h, h) for h, _, _ in sides]  # the last data block is multiplied by H^2
    block = gf_mul(constants[0] ^ constants[1], gf_inverse(squares[0] ^ squares[1]))
    data = data[: 16 * (places - 1)] + block.to_bytes(16, "big")
    h, mask, blocks = sides[0]
    blocks[-2] = block
    return data + (mask ^ _ghash(h, blocks)).to_bytes(16, "big")
