"""Threads that take the work of many in turn: who brings much waits behind who brings little.

Rules: of each owner the work is begun in the order in which it came; what is waiting when the
threads are shut down is dropped.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["Turns"]


class Turns:
    """A pool of threads.

    Args:
        threads: how many.
        name: of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._of: dict[Hashable, deque[Callable[[], object]]] = {}  # the first one is next

    def submit(self, owner: Hashable, work: Callable[[], object]) -> None:
        """Does work of an owner when it is its turn; it has an answer to every failure.

        Raises:
            RuntimeError: the threads are shut down.
        """
        with self._lock:
            self._of.setdefault(owner, deque()).append(work)
        self._pool.submit(self._next)

    def shutdown(self) -> None:
        """Waits for what was begun."""
        self._pool.shutdown(cancel_futures=True)

    def _next(self) -> None:
        with self._lock:
            owner, waiting = next(iter(self._of.items()))
            del self._of[owner]
            work = waiting.popleft()
            if waiting:
                self._of[owner] = waiting  # behind the others
        work()
