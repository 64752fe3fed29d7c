"""Makes the golden stores and ciphertexts of the installed release, once, before it is published.

Usage: python tests/compat/make_golden.py. It refuses when they are there: those of a published
release, and of a schema that was left, are never made anew. The root key and the passphrase protect
nothing but these tests.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import golden
from clocks import Clock
from external_stores import configure, create_xks, create_xks_key
from pairs import KINDS, MACS, RSA_ENCRYPTING, SIGNING
from wrapping import FOREVER, bring
from xks_proxy import Key, running

import kmsfast
from kmsfast.model.keyspec import algorithms_of
from kmsfast.model.message import message_types_of

SIZES = [0, 1, 15, 16, 17, 64, 255, 1000]
POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Sid": "é", "Effect": "Allow", "Principal": '
    '{"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*"}]}'
)
POLICY_OF_IDENTITY = '{"Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}}'
CONTEXTS: list[dict[str, str]] = [
    {},
    {"table": "orders"},
    {"ü": "ö", "a": "", "table": "orders", "column": "e-mail"},
]


def make_keys(kms: kmsfast.Kms, clock: Clock) -> dict[str, kmsfast.Key]:
    """One key of each sort, with its blobs still to be made while all are enabled."""
    several = kms.create_key(
        description="several versions",
        alias="alias/golden/several",
        tags={"team": "payments", "ü": "ö", "empty": ""},
        policy=POLICY,
        rotation_period_days=365,
    )
    kms.create_alias("alias/second-name", several)
    clock.forward(days=1)
    return {
        "several": several,
        "multi-Region": kms.create_key(description="multi-Region", multi_region=True),
        "disabled": kms.create_key(description="disabled", alias="alias/disabled"),
        "pending": kms.create_key(description="pending deletion", tags={"fate": "sealed"}),
    }


def blobs_of(key: kmsfast.Key) -> Iterator[dict[str, Any]]:
    for size in SIZES:
        for context in CONTEXTS if size in (0, 17) else CONTEXTS[1:2]:
            for aad in (None, b"row 7") if size in (0, 17) else (None,):
                yield {
                    "key_id": key.id,
                    "version": key.current_version,
                    "size": size,
                    "context": context,
                    "aad": None if aad is None else aad.hex(),
                    "blob": key.encrypt(golden.plaintext(size), context, aad).hex(),
                }


def data_key_of(key: kmsfast.Key) -> dict[str, str]:
    made = key.generate_data_key(32, CONTEXTS[1])
    assert made.plaintext is not None
    return {"plaintext": made.plaintext.hex(), "blob": made.ciphertext_blob.hex()}


def sealed_batch_of(key: kmsfast.Key) -> dict[str, Any]:
    header, values = key.seal_batch([golden.plaintext(size) for size in SIZES], CONTEXTS[2])
    return {
        "sizes": SIZES,
        "context": CONTEXTS[2],
        "header": header.hex(),
        "values": [value.hex() for value in values],
    }


def make_store(directory: Path) -> dict[str, Any]:
    """A store with a root key file, and a stream beside it."""
    clock = Clock()
    with kmsfast.open(
        directory / "store", create=True, clock=clock, region="eu-central-1", account="123456789012"
    ) as kms:
        keys = make_keys(kms, clock)
        blobs = [blob for key in keys.values() for blob in blobs_of(key)]
        several = keys["several"]
        for _ in range(2):
            clock.forward(days=1)
            several.rotate()
            blobs += blobs_of(several)
        stream = io.BytesIO()
        several.encrypt_stream(
            io.BytesIO(golden.plaintext(golden.STREAM_SIZE)), stream, CONTEXTS[1]
        )
        (directory / "stream.kms").write_bytes(stream.getvalue())
        made = {
            "blobs": blobs,
            "data_key": {**data_key_of(several), "context": CONTEXTS[1]},
            "batch": sealed_batch_of(several),
            "stream": {"context": CONTEXTS[1], "size": golden.STREAM_SIZE},
        }
        keys["disabled"].disable()
        keys["pending"].schedule_deletion(30)
        access_key = make_principals(kms)
        return {"now": clock.now, **golden.facts(kms), **made, "access_key": access_key,
                "principals": golden.principals(kms)}  # fmt: skip


def make_principals(kms: kmsfast.Kms) -> dict[str, str]:
    """One principal of each sort; returns the access key of a session, with its secret."""
    known = kms.principals
    known.create_administrator("golden")
    known.create_user("team/ada", {"team": "payments", "ü": ""})
    known.create_group("developers")
    known.create_role("nightly")
    known.attach_policy("developers", "use", POLICY_OF_IDENTITY)
    known.add_to_group("team/ada", "developers")
    known.map_uid(1001, "team/ada")
    known.map_gid(100, "nightly")
    known.set_access_key(known.create_access_key("team/ada").id, active=False)
    made = known.create_access_key("nightly", "host-1")
    return {"id": made.id, "secret": made.secret}


def signatures_of(key: kmsfast.Key) -> Iterator[dict[str, Any]]:
    for algorithm in algorithms_of(key.spec, key.usage):
        for message_type in message_types_of(algorithm):
            message = golden.message(algorithm, message_type)
            made = key.sign(message, algorithm=algorithm, message_type=message_type)
            yield {
                "key_id": key.id,
                "algorithm": algorithm,
                "message_type": str(message_type),
                "signature": made.hex(),
            }


def make_kinds_store(directory: Path) -> dict[str, Any]:
    """A store with a key of each spec and usage, and what each has made."""
    clock = Clock()
    with kmsfast.open(directory / "kinds", create=True, clock=clock) as kms:
        keys = {
            kind: kms.create_key(spec=kind[0], usage=kind[1], description=f"{kind[0]} {kind[1]}")
            for kind in KINDS
        }
        multi = kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY", multi_region=True)
        pair = keys[KINDS[0]].generate_data_key_pair("ECC_NIST_P384", CONTEXTS[1])
        assert pair.private_key is not None
        return {
            "now": clock.now,
            **golden.facts(kms),
            "public_keys": {
                key.id: key.public_key_der().hex()
                for key in [*keys.values(), multi]
                if key.versions()[0].public_key is not None
            },
            "signatures": [
                signature
                for key in [*(keys[kind] for kind in SIGNING), multi]
                for signature in signatures_of(key)
            ],
            "macs": [
                {"key_id": keys[kind].id, "mac": keys[kind].mac(golden.plaintext(17)).hex()}
                for kind in MACS
            ],
            "ciphertexts": [
                {
                    "key_id": keys[kind].id,
                    "algorithm": algorithm,
                    "ciphertext": keys[kind]
                    .encrypt(golden.plaintext(17), algorithm=algorithm)
                    .hex(),
                }
                for kind in RSA_ENCRYPTING
                for algorithm in algorithms_of(*kind)
            ],
            "data_key_pair": {
                "context": CONTEXTS[1],
                "blob": pair.private_key_blob.hex(),
                "private_key": pair.private_key.hex(),
            },
        }


def make_passphrase_store(directory: Path) -> dict[str, Any]:
    clock = Clock()
    root = kmsfast.Passphrase(golden.PASSPHRASE)
    with kmsfast.open(directory / "passphrase", create=True, root=root, clock=clock) as kms:
        blobs = list(blobs_of(kms.create_key(alias="alias/passphrase")))
        return {"now": clock.now, **golden.facts(kms), "blobs": blobs}


def make_imported_store(directory: Path) -> dict[str, Any]:
    """A store with imported material: two versions and one that waits; deleted; none yet."""
    clock = Clock()
    with kmsfast.open(directory / "imported", create=True, clock=clock) as kms:
        rotated, deleted, empty = (
            kms.create_key(origin="EXTERNAL", description=text)
            for text in ("rotated", "deleted", "empty")
        )
        for i in range(3):
            until = datetime.fromtimestamp(clock(), UTC) + timedelta(days=300)
            bring(
                rotated, golden.material(i), import_type="NEW_KEY_MATERIAL", valid_to=until,
                key_material_description=f"number {i}",
            )  # fmt: skip
            if i == 1:
                rotated.rotate()
            clock.forward(days=1)
        bring(deleted, golden.material(0), **FOREVER)
        blobs = list(blobs_of(rotated)) + list(blobs_of(deleted))
        deleted.delete_imported_key_material()
        ids = [v.material_id for v in rotated.versions()]
        return {"now": clock.now, **golden.facts(kms), "blobs": blobs, "ids": ids,
                "rotated": rotated.id, "deleted": deleted.id, "empty": empty.id}  # fmt: skip


def make_regions_store(directory: Path) -> dict[str, Any]:
    """A store with keys of two regions and accounts: replicas, rotated once, and AWS's."""
    clock = Clock()
    with kmsfast.open(directory / "regions", create=True, clock=clock) as kms:
        primary = kms.create_key(multi_region=True, alias="alias/primary")
        primary.replicate("eu-west-1", tags={"where": "there"}).disable()
        primary.rotate()
        kms.key("alias/aws/s3")
        homes = [kms, kms.at("eu-west-1"), kms.at(account="111122223333")]
        homes[2].create_key(description="of another account")
        return {
            "now": clock.now,
            "homes": [golden.facts(each) for each in homes],
            "primary": primary.id,
            "blobs": list(blobs_of(primary)),
        }


def make_key_stores_store(directory: Path) -> dict[str, Any]:
    """A store with an external key store, and a key in it.

    At the time of the machine, since the proxy looks at it.
    """
    path = directory / "key-stores"
    path.mkdir(mode=0o700)
    configuration = directory / "key-stores.toml"
    with running() as proxy, kmsfast.open(path, create=True, key_stores=configuration) as kms:
        proxy.keys["external-1"] = Key(golden.material(0))
        configure(configuration, proxy)
        store = kms.connect_custom_key_store(create_xks(kms).id)
        key = create_xks_key(kms, store)
        blobs = [
            {"size": size, "context": context, "blob": key.encrypt(golden.plaintext(size), context)}
            for size in SIZES
            for context in CONTEXTS
        ]
    configuration.unlink()
    with kmsfast.open(path) as kms:
        return {
            **golden.facts(kms),
            "key_store": {"id": store.id, "name": store.name, "type": store.type},
            "key": key.id,
            "blobs": [{**each, "blob": each["blob"].hex()} for each in blobs],
        }


def main() -> None:
    directory = golden.DIRECTORY / golden.name()
    directory.mkdir(parents=True)
    expected = {
        "store": make_store(directory),
        "passphrase": make_passphrase_store(directory),
        "kinds": make_kinds_store(directory),
        "imported": make_imported_store(directory),
        "regions": make_regions_store(directory),
        "key-stores": make_key_stores_store(directory),
    }
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    (directory / "expected.json").write_text(text + "\n")
    left = {path.name for path in directory.rglob("*") if path.is_file()}
    assert left == {"store.db", "epoch", "root.key", "stream.kms", "expected.json"}, left


if __name__ == "__main__":
    main()
