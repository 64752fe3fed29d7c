"""External key stores on the proxy of the tests."""

from __future__ import annotations

from pathlib import Path

from xks_proxy import ACCESS_KEY_ID, ENDPOINT, PATH, SECRET, XksProxy

import kmsfast

CREDENTIAL = kmsfast.ProxyCredential(ACCESS_KEY_ID, SECRET)


def configure(configuration: Path, proxy: XksProxy, timeout: float = 30) -> None:
    configuration.write_text(
        f'[proxies."{ENDPOINT}"]\naddress = "{proxy.url}"\ntimeout = {timeout}\n'
    )


def create_xks(kms: kmsfast.Kms, name: str = "proxy") -> kmsfast.CustomKeyStore:
    return kms.create_custom_key_store(
        name,
        type="EXTERNAL_KEY_STORE",
        uri_endpoint=ENDPOINT,
        uri_path=PATH,
        credential=CREDENTIAL,
    )


def create_xks_key(
    kms: kmsfast.Kms, store: kmsfast.CustomKeyStore, name: str = "external-1"
) -> kmsfast.Key:
    return kms.create_key(
        origin="EXTERNAL_KEY_STORE", custom_key_store_id=store.id, xks_key_id=name
    )
