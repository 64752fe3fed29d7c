"""Work one item ahead in a thread, so that reading, encrypting and writing overlap.

Rules:
- the C code of pyarrow and of kmsfast releases the GIL; a thread per stage is enough;
- at most `depth` items exist ahead of the consumer, the one in the making included: that bounds
  the memory;
- an exception of the thread is raised in the consumer; a consumer that stops ends the thread.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import SimpleQueue
from typing import TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")


class _End:
    """The last entry of the queue, with the exception that ended the thread, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterable[Item], depth: int = 1) -> Generator[Item, None, None]:
    """The same items; the next `depth` of them are made by a thread meanwhile."""
    ready: SimpleQueue[Item | _End] = SimpleQueue()
    permits = threading.Semaphore(depth)
    stopped = threading.Event()

    def work() -> None:
        error: BaseException | None = None
        iterator = iter(items)
        try:
            while permits.acquire() and not stopped.is_set():
                ready.put(next(iterator))
        except StopIteration:
            error = None
        except BaseException as raised:  # noqa: BLE001 - handed to the consumer, whatever it is
            error = raised
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
            ready.put(_End(error))

    thread = threading.Thread(target=work, name="kmsfast-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            permits.release()
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        permits.release()
        thread.join()
