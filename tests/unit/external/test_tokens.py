"""Keys in PKCS#11 tokens, with SoftHSM."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from clocks import Clock
from store_files import files_of
from tokens import CLUSTERS, MODULE, PIN, SoftHsm, needs_softhsm

import kmsfast

pytestmark = needs_softhsm
CONTEXT = {"table": "orders"}
FIRST, SECOND, THIRD = list(CLUSTERS)[:3]


def objects(label: str) -> list[dict[str, object]]:
    """The secret keys of a token, as another session sees them."""
    import pkcs11
    from pkcs11 import Attribute

    token = pkcs11.lib(MODULE).get_token(token_label=label)
    with token.open() as session:
        return [
            {
                "id": key[Attribute.ID],
                "sensitive": key[Attribute.SENSITIVE],
                "extractable": key[Attribute.EXTRACTABLE],
                "never": key[Attribute.NEVER_EXTRACTABLE],
                "local": key[Attribute.LOCAL],
                "bits": key.key_length,
                "may": (key[Attribute.ENCRYPT], key[Attribute.DECRYPT], key[Attribute.WRAP]),
            }
            for key in session.get_objects({Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY})
        ]


def test_a_key_is_made_in_the_token_and_cannot_leave_it(token_key: kmsfast.Key) -> None:
    backing = token_key.backing
    assert backing is not None
    assert (backing.name, backing.cluster_id) == (token_key.id, FIRST)
    mine = [each for each in objects(CLUSTERS[FIRST]) if each["id"] == token_key._raw_id]
    assert mine == [
        {
            "id": token_key._raw_id, "sensitive": True, "extractable": False, "never": True,
            "local": True, "bits": 256, "may": (True, True, False),
        }
    ]  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, 15, 16, 4096])
def test_records_are_encrypted_in_the_token(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key, size: int
) -> None:
    plaintext = os.urandom(size)
    blob = token_key.encrypt(plaintext, CONTEXT)
    assert len(blob) == size + 54
    info = kmsfast.inspect(blob)
    assert (info.key_id, info.key_version, info.plaintext_size) == (token_key.id, 1, size)
    assert "CloudHSM" in info.suite
    assert with_tokens.decrypt(blob, CONTEXT) == plaintext
    assert token_key.decrypt(blob, CONTEXT) == plaintext
    assert token_key.encrypt(plaintext, CONTEXT) != blob


def test_a_blob_opens_by_its_key_and_context_alone(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key, token_store: kmsfast.CustomKeyStore
) -> None:
    blob = token_key.encrypt(b"plaintext", CONTEXT)
    for context in (None, {"table": "other"}, {**CONTEXT, "more": ""}):
        with pytest.raises(kmsfast.InvalidCiphertext):
            with_tokens.decrypt(blob, context)
    other = with_tokens.create_key(origin="AWS_CLOUDHSM", custom_key_store_id=token_store.id)
    with pytest.raises(kmsfast.IncorrectKey):
        other.decrypt(blob, CONTEXT)
    with pytest.raises(kmsfast.InvalidCiphertext):  # named as if it were another key's
        with_tokens.decrypt(blob[:4] + other._raw_id + blob[20:], CONTEXT)
    assert with_tokens.decrypt(blob, CONTEXT) == b"plaintext"


def test_every_byte_of_a_blob_counts(with_tokens: kmsfast.Kms, token_key: kmsfast.Key) -> None:
    blob = token_key.encrypt(b"plaintext", CONTEXT)
    for i in range(len(blob)):
        changed = blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1 :]
        with pytest.raises((kmsfast.InvalidCiphertext, kmsfast.KeyNotFound)):
            with_tokens.decrypt(changed, CONTEXT)
        with pytest.raises(kmsfast.InvalidCiphertext):
            with_tokens.decrypt(blob[:i], CONTEXT)
    with pytest.raises(kmsfast.InvalidCiphertext):
        with_tokens.decrypt(blob + b"\0", CONTEXT)
    assert with_tokens.decrypt(blob, CONTEXT) == b"plaintext"


def test_data_keys(with_tokens: kmsfast.Kms, token_key: kmsfast.Key) -> None:
    made = token_key.generate_data_key(64, CONTEXT)
    assert made.plaintext is not None
    assert len(made.plaintext) == 64
    assert with_tokens.decrypt(made.ciphertext_blob, CONTEXT) == made.plaintext
    blind = token_key.generate_data_key_without_plaintext(16)
    assert blind.plaintext is None
    assert len(with_tokens.decrypt(blind.ciphertext_blob)) == 16
    for size in (0, 1025):
        with pytest.raises(kmsfast.ValidationError):
            token_key.generate_data_key(size)


def test_what_needs_the_material_here_is_refused(token_key: kmsfast.Key) -> None:
    for use in (
        lambda: token_key.encrypt_batch([b"a", b"b"]),
        lambda: token_key.seal_batch([b"a"]),
        token_key.rotate,
        token_key.enable_rotation,
        lambda: token_key.generate_data_key_pair("ECC_NIST_P256"),
        token_key.get_parameters_for_import,
    ):
        with pytest.raises(kmsfast.UnsupportedOperation):
            use()
    with pytest.raises(kmsfast.ValidationError):
        token_key.encrypt(b"", aad=b"associated")
    with pytest.raises(kmsfast.ValidationError):
        token_key.encrypt(bytes(4097))


def test_a_key_is_unavailable_while_its_key_store_is_disconnected(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key, token_store: kmsfast.CustomKeyStore
) -> None:
    blob = token_key.encrypt(b"plaintext")
    with_tokens.disconnect_custom_key_store(token_store.id)
    assert token_key.state == "Unavailable"
    for use in (lambda: token_key.encrypt(b""), lambda: with_tokens.decrypt(blob)):
        with pytest.raises(kmsfast.InvalidState, match="not connected to its CloudHSM cluster"):
            use()
    token_key.disable()  # which shows when it is connected
    assert token_key.state == "Unavailable"
    with pytest.raises(kmsfast.CustomKeyStoreInvalidState):
        with_tokens.create_key(origin="AWS_CLOUDHSM", custom_key_store_id=token_store.id)
    assert with_tokens.connect_custom_key_store(token_store.id).state == "CONNECTED"
    assert token_key.state == "Disabled"
    with pytest.raises(kmsfast.KeyDisabled):
        token_key.encrypt(b"")
    token_key.enable()
    assert with_tokens.decrypt(blob) == b"plaintext"


def test_a_connected_key_store_serves_who_opens_the_store_next(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key, reopened: Callable[[], kmsfast.Kms]
) -> None:
    blob = token_key.encrypt(b"plaintext", CONTEXT)
    with_tokens.close()
    with reopened() as kms:
        assert kms.decrypt(blob, CONTEXT) == b"plaintext"


def test_another_process_uses_the_key_meanwhile(
    path: Path, with_tokens: kmsfast.Kms, token_key: kmsfast.Key
) -> None:
    blob = token_key.encrypt(b"plaintext")
    code = (
        f"import kmsfast\nwith kmsfast.open({str(path)!r}) as kms:\n"
        f"    print(kms.decrypt(bytes.fromhex({blob.hex()!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "b'plaintext'\n"
    assert with_tokens.decrypt(blob) == b"plaintext"


def test_a_child_of_a_fork_opens_the_store_and_the_token_anew(
    path: Path, with_tokens: kmsfast.Kms, token_key: kmsfast.Key
) -> None:
    blob = token_key.encrypt(b"plaintext")
    child = os.fork()
    if child == 0:
        try:
            with kmsfast.open(path) as kms:
                os._exit(0 if kms.decrypt(blob) == b"plaintext" else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert with_tokens.decrypt(blob) == b"plaintext"


def test_a_child_of_a_fork_does_not_log_the_parent_out(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key
) -> None:
    blob = token_key.encrypt(b"plaintext")
    child = os.fork()
    if child == 0:
        try:
            with_tokens.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert with_tokens.decrypt(blob) == b"plaintext"


def test_a_key_that_is_deleted_while_disconnected_stays_in_the_token(
    path: Path, configuration: Path, softhsm: SoftHsm, anchor: str, clock: Clock
) -> None:
    configuration.write_text(softhsm.configuration())
    with kmsfast.open(path, create=True, clock=clock) as kms:
        store = kms.create_custom_key_store(
            "token", cluster_id=FIRST, password=PIN, trust_anchor=anchor
        )
        kms.connect_custom_key_store(store.id)
        key = kms.create_key(origin="AWS_CLOUDHSM", custom_key_store_id=store.id)
        raw_id = key._raw_id
        key.schedule_deletion(7)
        kms.disconnect_custom_key_store(store.id)
        clock.forward(days=8)
        assert kms.keys() == []
        kms.delete_custom_key_store(store.id)
        # Nobody is logged in, and private objects are hidden: log in to see.
        import pkcs11

        token = pkcs11.lib(MODULE).get_token(token_label=CLUSTERS[FIRST])
        with token.open(rw=True, user_pin=PIN) as session:
            session.get_key(id=raw_id).destroy()


def test_a_deleted_key_leaves_the_token(
    path: Path, configuration: Path, softhsm: SoftHsm, anchor: str, clock: Clock
) -> None:
    configuration.write_text(softhsm.configuration())
    with kmsfast.open(path, create=True, clock=clock) as kms:
        store = kms.create_custom_key_store(
            "token", cluster_id=FIRST, password=PIN, trust_anchor=anchor
        )
        kms.connect_custom_key_store(store.id)
        key = kms.create_key(origin="AWS_CLOUDHSM", custom_key_store_id=store.id)
        raw_id = key._raw_id
        key.schedule_deletion(7)
        assert key.state == "PendingDeletion"
        kms.disconnect_custom_key_store(store.id)
        assert key.state == "PendingDeletion"
        with pytest.raises(kmsfast.CustomKeyStoreHasKeys):
            kms.delete_custom_key_store(store.id)
        kms.connect_custom_key_store(store.id)
        assert raw_id in {each["id"] for each in objects(CLUSTERS[FIRST])}
        clock.forward(days=8)
        with pytest.raises(kmsfast.KeyNotFound):
            kms.key(key.id)
        assert raw_id not in {each["id"] for each in objects(CLUSTERS[FIRST])}
        kms.disconnect_custom_key_store(store.id)
        kms.delete_custom_key_store(store.id)
        assert kms.custom_key_stores() == []


# ---- failures ---------------------------------------------------------------------------------


def test_a_wrong_password_fails_to_connect_and_is_not_tried_again(
    with_tokens: kmsfast.Kms, anchor: str
) -> None:
    store = with_tokens.create_custom_key_store(
        "wrong", cluster_id=SECOND, password="not the PIN", trust_anchor=anchor
    )
    failed = with_tokens.connect_custom_key_store(store.id)
    assert (failed.state, failed.error) == ("FAILED", "INVALID_CREDENTIALS")
    with pytest.raises(kmsfast.CustomKeyStoreInvalidState):
        with_tokens.connect_custom_key_store(store.id)
    with pytest.raises(kmsfast.CustomKeyStoreInvalidState):
        with_tokens.update_custom_key_store(store.id, password=PIN)
    with_tokens.disconnect_custom_key_store(store.id)
    with_tokens.update_custom_key_store(store.id, password=PIN)
    assert with_tokens.connect_custom_key_store(store.id).state == "CONNECTED"


def test_a_password_that_was_changed_outside_does_not_lock_the_user_out(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key, softhsm: SoftHsm,
    reopened: Callable[[], kmsfast.Kms],
) -> None:  # fmt: skip
    import pkcs11

    blob = token_key.encrypt(b"plaintext")
    with_tokens.close()
    token = pkcs11.lib(MODULE).get_token(token_label=CLUSTERS[FIRST])
    with token.open(rw=True, user_pin=PIN) as session:
        session.set_pin(PIN, "another-pin")
    try:
        tried: list[object] = []
        with reopened() as kms, pytest.MonkeyPatch.context() as patch:
            from kmsfast.external.pkcs11_module import Library

            real = Library.token
            patch.setattr(Library, "token", lambda *args: (tried.append(1), real(*args))[1])
            for _ in range(3):
                with pytest.raises(kmsfast.InvalidState, match="password"):
                    kms.decrypt(blob)
            assert len(tried) == 1
    finally:
        with token.open(rw=True, user_pin="another-pin") as session:
            session.set_pin("another-pin", PIN)
    with reopened() as kms:
        assert kms.decrypt(blob) == b"plaintext"


def test_a_token_that_was_removed(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key, token_store: kmsfast.CustomKeyStore,
    softhsm: SoftHsm,
) -> None:  # fmt: skip
    blob, away = token_key.encrypt(b"plaintext"), softhsm.directory / "away"
    shutil.move(softhsm.tokens, away)
    try:
        for use in (lambda: with_tokens.decrypt(blob), lambda: token_key.encrypt(b"")):
            with pytest.raises(kmsfast.InvalidState, match="CloudHSM cluster"):
                use()
        failed = with_tokens.connect_custom_key_store(token_store.id)
        assert failed.state == "FAILED"
        assert failed.error in {"INSUFFICIENT_CLOUDHSM_HSMS", "INTERNAL_ERROR"}
    finally:
        shutil.move(away, softhsm.tokens)
    with_tokens.disconnect_custom_key_store(token_store.id)
    assert with_tokens.connect_custom_key_store(token_store.id).state == "CONNECTED"
    assert with_tokens.decrypt(blob) == b"plaintext"


def test_a_key_that_is_gone_from_the_token(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key, reopened: Callable[[], kmsfast.Kms]
) -> None:
    import pkcs11

    blob = token_key.encrypt(b"plaintext")
    token = pkcs11.lib(MODULE).get_token(token_label=CLUSTERS[FIRST])
    with token.open(rw=True) as session:  # the user is logged in
        session.get_key(id=token_key._raw_id).destroy()
    with pytest.raises(kmsfast.InvalidState, match="not in the CloudHSM cluster"):
        with_tokens.decrypt(blob)
    with pytest.raises(kmsfast.InvalidState, match="not in the CloudHSM cluster"):
        token_key.encrypt(b"")


def test_a_key_that_could_not_be_stored_leaves_nothing_in_the_token(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key, token_store: kmsfast.CustomKeyStore
) -> None:
    with_tokens.create_alias("alias/taken", token_key)
    before = objects(CLUSTERS[FIRST])
    with pytest.raises(kmsfast.AliasExists):
        with_tokens.create_key(
            origin="AWS_CLOUDHSM", custom_key_store_id=token_store.id, alias="alias/taken"
        )
    assert objects(CLUSTERS[FIRST]) == before


def test_clusters_that_cannot_be_used(
    path: Path, configuration: Path, softhsm: SoftHsm, anchor: str
) -> None:
    configuration.write_text(
        softhsm.configuration()
        + f'[clusters.{"cluster-" + "x" * 11}]\nmodule = "{MODULE}"\ntoken = "none such"\n'
        + f'[clusters.{"cluster-" + "y" * 11}]\nmodule = "/nowhere.so"\ntoken = "t"\n'
    )
    with kmsfast.open(path, create=True) as kms:

        def create(name: str, cluster: str, trust_anchor: str = anchor) -> kmsfast.CustomKeyStore:
            return kms.create_custom_key_store(
                name, cluster_id=cluster, password=PIN, trust_anchor=trust_anchor
            )

        with pytest.raises(kmsfast.ClusterNotFound, match=r"key-stores\.toml"):
            create("a", "cluster-" + "z" * 11)
        for letter in "xy":
            with pytest.raises(kmsfast.ClusterNotActive):
                create("a", "cluster-" + letter * 11)
        with pytest.raises(kmsfast.IncorrectTrustAnchor):
            create("a", FIRST, "no certificate")
        create("a", FIRST)
        with pytest.raises(kmsfast.ClusterInUse):
            create("b", FIRST)
        with pytest.raises(kmsfast.CustomKeyStoreNameInUse):
            create("a", SECOND)
        with pytest.raises(kmsfast.ValidationError, match="XksProxyUriPath"):
            kms.create_custom_key_store(
                "c", cluster_id=SECOND, password=PIN, trust_anchor=anchor, uri_path="/kms/xks/v1"
            )
        with pytest.raises(kmsfast.ValidationError, match="KeyStorePassword"):
            kms.create_custom_key_store("c", cluster_id=SECOND, trust_anchor=anchor)
        with pytest.raises(kmsfast.ValidationError) as refused:
            kms.create_custom_key_store(
                "c", cluster_id=SECOND, password="123456", trust_anchor=anchor
            )
        assert "123456" not in str(refused.value)


def test_the_cluster_of_a_key_store_can_change_to_a_related_one(
    path: Path, configuration: Path, softhsm: SoftHsm, anchor: str, tmp_path: Path
) -> None:
    from tokens import certificate

    (path / "ca.crt").write_text(anchor)
    (path / "other.crt").write_text(certificate(tmp_path, "other"))
    configuration.write_text(
        f'[clusters.{FIRST}]\nmodule = "{MODULE}"\ntoken = "{CLUSTERS[FIRST]}"\n'
        'trust_anchor = "ca.crt"\n'
        f'[clusters.{SECOND}]\nmodule = "{MODULE}"\ntoken = "{CLUSTERS[SECOND]}"\n'
        'trust_anchor = "other.crt"\n'
        f'[clusters.{THIRD}]\nmodule = "{MODULE}"\ntoken = "{CLUSTERS[THIRD]}"\n'
        'trust_anchor = "ca.crt"\n'
    )
    with kmsfast.open(path, create=True) as kms:
        with pytest.raises(kmsfast.IncorrectTrustAnchor):
            kms.create_custom_key_store("a", cluster_id=SECOND, password=PIN, trust_anchor=anchor)
        store = kms.create_custom_key_store(
            "a", cluster_id=FIRST, password=PIN, trust_anchor=anchor
        )
        with pytest.raises(kmsfast.ClusterNotRelated):
            kms.update_custom_key_store(store.id, cluster_id=SECOND)
        kms.update_custom_key_store(store.id, cluster_id=THIRD, new_name="b")
        found = kms.custom_key_store(store.id)
        assert (found.name, found.cluster_id) == ("b", THIRD)
        assert kms.connect_custom_key_store(store.id).state == "CONNECTED"


def test_one_process_logs_in_to_a_token_once(
    with_tokens: kmsfast.Kms, token_store: kmsfast.CustomKeyStore, tmp_path: Path,
    softhsm: SoftHsm, anchor: str,
) -> None:  # fmt: skip
    (tmp_path / "ks.toml").write_text(softhsm.configuration())
    with kmsfast.open(tmp_path / "other", create=True, key_stores=tmp_path / "ks.toml") as kms:
        store = kms.create_custom_key_store(
            "same token", cluster_id=FIRST, password=PIN, trust_anchor=anchor
        )
        assert kms.connect_custom_key_store(store.id).error == "USER_LOGGED_IN"


def test_the_pin_is_nowhere_in_the_clear(
    path: Path, with_tokens: kmsfast.Kms, token_store: kmsfast.CustomKeyStore
) -> None:
    assert PIN not in repr(token_store)
    assert PIN not in repr(with_tokens.custom_key_stores())
    with_tokens.close()
    for file in files_of(path):
        assert PIN.encode() not in file.read_bytes()
