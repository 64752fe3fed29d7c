"""What is shown of the results of single calls."""

from __future__ import annotations

import pytest

from kmsfast.service.singles import DataKeyOf, Opened


@pytest.mark.parametrize(
    "result", [Opened(b"secret", "arn", "id"), DataKeyOf(b"secret", b"blob", "arn", "id")]
)
def test_reprs_show_no_plaintext(result: Opened | DataKeyOf) -> None:
    assert repr(result) == f"{type(result).__name__}(key_arn='arn', material_id='id')"
    assert "secret" not in f"{result} {result!r}"
