from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from contract_doors import DOORS, opened


@pytest.fixture(scope="session", params=DOORS)
def kms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A key store behind each of the doors."""
    with opened(request.param, tmp_path_factory.mktemp("contract") / "store") as found:
        yield found


@pytest.fixture(scope="session")
def key(kms: Any) -> Any:
    return kms.create_key(alias="alias/contract", description="of the contract", tags={"a": "b"})


@pytest.fixture(scope="session")
def pair(kms: Any) -> Any:
    return kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")


@pytest.fixture(scope="session")
def mac_key(kms: Any) -> Any:
    return kms.create_key(spec="HMAC_256", usage="GENERATE_VERIFY_MAC")
