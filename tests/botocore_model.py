"""botocore's service model of KMS, loaded by botocore itself."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def kms_model() -> dict[str, Any]:
    from botocore.loaders import Loader

    return Loader().load_service_model("kms", "service-2")
