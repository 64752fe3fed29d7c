"""Keys of a store that is not connected are counted as users see them."""

from __future__ import annotations

from scrapes import scrape

import kmsfast


def states(kms: kmsfast.Kms) -> dict[str, float]:
    """Keys of origin EXTERNAL_KEY_STORE by state."""
    found = scrape(kms).all("kmsfast_keys", origin="EXTERNAL_KEY_STORE")
    return {labels[-1]: number for labels, number in found.items()}


def test_keys_of_a_store_outside(
    with_proxy: kmsfast.Kms, xks_store: kmsfast.CustomKeyStore, xks_key: kmsfast.Key
) -> None:
    assert xks_key.state == "Enabled"
    assert states(with_proxy) == {"Enabled": 1}
    with_proxy.disconnect_custom_key_store(xks_store.id)
    assert xks_key.state == "Unavailable"
    assert states(with_proxy) == {"Unavailable": 1}
    xks_key.schedule_deletion(7)
    assert states(with_proxy) == {"PendingDeletion": 1}
