"""The API of AWS KMS: one function for each operation, on top of the service.

Rules:
- an operation takes the members of its request and gives the members of its answer, both by their
  AWS names; it knows nothing of HTTP and JSON;
- it raises errors whose code and message are those of AWS;
- whatever an operation changes, it changes by one method of the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kmsfast.operations import (
    aliases,
    encryption,
    grants,
    imports,
    key_stores,
    keys,
    pairs,
    policies,
    rotation,
    signing,
    tags,
)
from kmsfast.operations.coverage import DEVIATIONS, MISSING, WITHOUT_METHOD
from kmsfast.operations.requests import (
    MAX_CONTEXT,
    Given,
    Operation,
    Result,
    Usual,
    refuse_long_contexts,
)

__all__ = [
    "DEVIATIONS",
    "MAX_CONTEXT",
    "MISSING",
    "OPERATIONS",
    "WITHOUT_METHOD",
    "Given",
    "Operation",
    "Result",
    "Usual",
    "refuse_long_contexts",
]

OPERATIONS: Final[Mapping[str, Operation]] = {
    **keys.OPERATIONS,
    **aliases.OPERATIONS,
    **encryption.OPERATIONS,
    **signing.OPERATIONS,
    **pairs.OPERATIONS,
    **rotation.OPERATIONS,
    **imports.OPERATIONS,
    **policies.OPERATIONS,
    **grants.OPERATIONS,
    **tags.OPERATIONS,
    **key_stores.OPERATIONS,
}
