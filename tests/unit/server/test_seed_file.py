"""Seed files that are none: an error that shows nothing of what stands in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmsfast.errors import ValidationError
from kmsfast.model.arn import Home
from kmsfast.server.seed_file import read_seed

SECRET = "c2VjcmV0IG1hdGVyaWFs"
KEY = "keys:\n- id: 11111111-1111-4111-8111-111111111111\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{KEY}  material: {{hex: {SECRET}: x}}", "is no YAML in line 3"),
        (f"{KEY}  material: {{{SECRET}: a, {SECRET}: b}}", "is twice in one mapping.* line 3"),
        (f"{KEY}  description: 2026-13-45\n  material: {{hex: {SECRET}}}", "quote"),
        (f"{KEY}  material: !!map {SECRET}", "quote"),
        (f"{KEY}  material: {{? [{SECRET}] : x}}", "quote"),
        (f"{KEY}  rotation_period_days: {'9' * 5000}", "quote"),
        ("[" * 20_000, "nested too deeply"),
        ("\0", "is no YAML"),
        ("# " + "x" * (4 << 20), "more than 4194304 bytes"),
    ],
)
def test_what_is_no_seed(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text(text)
    with pytest.raises(ValidationError, match=message) as raised:
        read_seed(path, Home())
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="No such file"):
        read_seed(tmp_path / "seed.yaml", Home())
