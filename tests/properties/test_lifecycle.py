"""Any sequence of operations: what was encrypted decrypts exactly while its key is enabled."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from clocks import Clock
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

import kmsfast
from kmsfast.errors import InvalidState, KeyDisabled, KeyNotFound, KmsError


class Life(RuleBasedStateMachine):
    """A store beside a model of what each key should do."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.kms = kmsfast.open(self.directory / "store", create=True, clock=self.clock)
        self.state: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.due: dict[str, float] = {}
        self.blobs: list[tuple[str, bytes, bytes]] = []

    def teardown(self) -> None:
        self.kms.close()
        shutil.rmtree(self.directory)

    def expect(self, key_id: str) -> type[KmsError] | None:
        if self.state[key_id] == "PendingDeletion" and self.clock.now >= self.due[key_id]:
            self.state[key_id] = "Deleted"
        return {
            "Enabled": None,
            "Disabled": KeyDisabled,
            "PendingDeletion": InvalidState,
            "Deleted": KeyNotFound,
        }[self.state[key_id]]

    def attempt(self, key_id: str, use, expected: type[KmsError] | None) -> bool:
        """Whether it went well; it must fail as expected, or not at all."""
        if expected is None:
            use(self.kms.key(key_id))
            return True
        with pytest.raises(KmsError) as raised:
            use(self.kms.key(key_id))
        assert raised.type is expected
        return False

    @rule(target=keys)
    def create(self) -> str:
        key = self.kms.create_key()
        self.state[key.id], self.versions[key.id] = "Enabled", 1
        return key.id

    @rule(key_id=keys, plain=st.binary(max_size=20))
    def encrypt(self, key_id: str, plain: bytes) -> None:
        made: list[bytes] = []
        if self.attempt(key_id, lambda key: made.append(key.encrypt(plain)), self.expect(key_id)):
            self.blobs.append((key_id, made[0], plain))
            assert kmsfast.inspect(made[0]).key_version == self.versions[key_id]

    @rule(key_id=keys)
    def rotate(self, key_id: str) -> None:
        if self.attempt(key_id, lambda key: key.rotate(), self.expect(key_id)):
            self.versions[key_id] += 1

    @rule(key_id=keys, state=st.sampled_from(["Enabled", "Disabled"]))
    def switch(self, key_id: str, state: str) -> None:
        expected = self.expect(key_id)
        expected = None if expected is KeyDisabled else expected
        if self.attempt(
            key_id, lambda key: key.enable() if state == "Enabled" else key.disable(), expected
        ):
            self.state[key_id] = state

    @rule(key_id=keys, days=st.integers(7, 30))
    def schedule(self, key_id: str, days: int) -> None:
        expected = self.expect(key_id)
        expected = None if expected is KeyDisabled else expected
        if self.attempt(key_id, lambda key: key.schedule_deletion(days), expected):
            self.state[key_id] = "PendingDeletion"
            self.due[key_id] = self.clock.now + days * 86_400

    @rule(key_id=keys)
    def cancel(self, key_id: str) -> None:
        expected = self.expect(key_id)
        expected = {InvalidState: None, KeyNotFound: KeyNotFound}.get(expected, InvalidState)
        if self.attempt(key_id, lambda key: key.cancel_deletion(), expected):
            self.state[key_id] = "Disabled"

    @rule(days=st.sampled_from([0.5, 6, 7, 31]))
    def wait(self, days: float) -> None:
        self.clock.forward(days=days)

    @rule()
    def reopen(self) -> None:
        self.kms.close()
        self.kms = kmsfast.open(self.directory / "store", clock=self.clock)

    @invariant()
    def every_blob_does_what_its_key_allows(self) -> None:
        values, errors = self.kms.decrypt_batch([b for _, b, _ in self.blobs], errors="return")
        for i, (key_id, _, plain) in enumerate(self.blobs):
            expected = self.expect(key_id)
            assert type(errors.get(i)) is (expected or type(None))
            assert values[i] == (None if expected else plain)

    @invariant()
    def every_key_is_listed(self) -> None:
        for key_id in self.state:
            self.expect(key_id)
        listed = {key.id: str(key.state) for key in self.kms.keys()}
        assert listed == {k: s for k, s in self.state.items() if s != "Deleted"}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
