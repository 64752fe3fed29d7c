"""AWS's service model of KMS, from the botocore that is installed.

Its file is read as it lies there (80 KiB, some 30 ms); botocore itself is not imported.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kmsfast.errors import ValidationError
from kmsfast.wire.model import ServiceModel

__all__ = ["load_service_model"]


def load_service_model(
    service: str = "kms", operations: Collection[str] | None = None
) -> ServiceModel:
    """The newest service model of KMS, or of another service.

    Args:
        service: as botocore names it.
        operations: that are needed; None: all.

    Raises:
        ValidationError: botocore is not installed, or has none.
    """
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise ValidationError(
            "the HTTP server needs botocore, which is not installed: pip install 'kmsfast[http]'"
        )
    folder = Path(spec.submodule_search_locations[0]) / "data" / service
    for version in sorted(folder.glob("*"), reverse=True):
        for name, opener in (("service-2.json.gz", gzip.open), ("service-2.json", open)):
            path = version / name
            if path.exists():
                with opener(path, "rb") as file:
                    model: dict[str, Any] = json.loads(file.read())
                return ServiceModel(model, operations=operations)
    raise ValidationError(
        f"botocore has no service model of {service} in {str(folder)!r}; install a newer one"
    )
