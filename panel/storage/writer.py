"""Runs writes one after another on a thread of their own, so that the event loop waits for no lock and no disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")


class Writer(Generic[S]):
    """`open_store` is called on the thread, at the first write."""

    def __init__(self, open_store: Callable[[], S], close_store: Callable[[S], None]) -> None:
        self._open, self._close = open_store, close_store
        self._thread = ThreadPoolExecutor(1, "storage")
        self._store: S | None = None
        self._closed = False

    async def write(self, action: Callable[[S], T]) -> T:
        """What the action returns, once it is committed. A write that was handed over is carried out, whether its
        caller still waits or not."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._run, action))

    def close(self) -> None:
        """Waits for the writes that were handed over. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._thread.submit(self._end).result()
            self._thread.shutdown()

    def _run(self, action: Callable[[S], T]) -> T:
        if self._store is None:
            self._store = self._open()
        return action(self._store)

    def _end(self) -> None:
        if self._store is not None:
            self._close(self._store)
            self._store = None
