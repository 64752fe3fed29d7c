"""Old events of the audit log go while the server runs: once at its start, then every day."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from kmsfast.audit.recorder import Recorder
from kmsfast.errors import KmsError

__all__ = ["retain"]

_DAY: Final = 86_400.0
_LOG: Final = logging.getLogger(__name__)


async def retain(recorder: Recorder, days: float, *, every: float = _DAY) -> None:
    """Removes what is older than so many days, for ever; in a thread, since it waits for the disk.

    That it could not be done is logged, and tried again the next day.

    Args:
        every: seconds.
    """
    while True:
        try:
            removed = await asyncio.to_thread(recorder.retain, days)
        except (KmsError, OSError) as error:
            _LOG.error("old events of the audit log were not removed: %s", error)
        else:
            if removed:
                _LOG.warning("removed %d old segments of the audit log", len(removed))
        await asyncio.sleep(every)
