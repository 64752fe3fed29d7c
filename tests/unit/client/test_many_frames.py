"""Calls of more frames than go out at once: chunks, and pieces of batches."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from socket_world import serving

import kmsfast
from kmsfast.client import asking, columns, protocol
from kmsfast.crypto.reactor import Limits
from kmsfast.server import socket_reactor

CHUNK = 1000
DATA = bytes(range(250)) * 1200


@pytest.mark.parametrize("in_c", [True, False])
def test_many_small_frames(in_c: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are sent, although the kernel takes all that is offered and the server waits for more."""
    for module in (asking, protocol):
        monkeypatch.setattr(module, "CHUNK", CHUNK)
    monkeypatch.setattr(columns, "_PIECE", 4 * CHUNK)
    rows = np.frombuffer(DATA, np.uint8).reshape(-1, 50)

    async def awaited() -> tuple[Any, Any]:
        async with await kmsfast.connect_async(served.path, timeout=20) as kms:
            key = await kms.key("alias/a")
            return await key.encrypt(DATA), await key.encrypt_batch(rows)

    with serving(tmp_path / "served", in_c=in_c) as served:
        found = asyncio.run(awaited())
        with kmsfast.connect(served.path, timeout=20) as kms:
            key = kms.key("alias/a")
            for blob, blobs in (found, (key.encrypt(DATA), key.encrypt_batch(rows))):
                assert kms.decrypt(blob) == DATA
                assert (kms.decrypt_batch(blobs) == rows).all()


def test_tasks_do_not_fill_the_server_with_beginnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many requests with chunks the server may keep fewer than there are tasks."""
    for module in (asking, protocol):
        monkeypatch.setattr(module, "CHUNK", CHUNK)
    monkeypatch.setattr(socket_reactor, "Limits", partial(Limits, max_pending=8 * CHUNK))

    async def sealed() -> list[bytes]:
        async with await kmsfast.connect_async(served.path, timeout=10) as kms:
            key = await kms.key("alias/a")
            return await asyncio.gather(*(key.encrypt(DATA) for _ in range(24)))

    with serving(tmp_path / "served", in_c=True) as served:
        blobs = asyncio.run(sealed())
        with kmsfast.connect(served.path, timeout=20) as kms:
            assert {kms.decrypt(blob) for blob in blobs} == {DATA}
