"""What is said when the packages of the extra ``http`` are not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kmsfast.errors import ValidationError
from kmsfast.server import service_model
from kmsfast.server.running import serve

NEEDED = "which is not installed: pip install"


@pytest.mark.parametrize("package", ["uvloop", "httptools"])
def test_a_server_without_its_packages(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    def unopened() -> object:
        raise AssertionError("the store was opened")

    with pytest.raises(ValidationError, match=f"needs {package}, {NEEDED}"):
        serve(
            unopened,  # type: ignore[arg-type]
            "127.0.0.1:0",
            insecure_no_auth=True,
            tls=None,
            started=lambda *_: None,
        )


def test_botocore(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(service_model, "find_spec", lambda _: None)
    with pytest.raises(ValidationError, match=f"needs botocore, {NEEDED}"):
        service_model.load_service_model()

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(service_model, "find_spec", lambda _: Spec)
    with pytest.raises(ValidationError, match="has no service model of kms"):
        service_model.load_service_model()
