"""Deletes Stores in a thread: giving 64 MiB of guest memory back to the system takes milliseconds."""

import contextlib
import queue
import threading
from typing import final

from airssys_wasm.runtime.abi import capi


@final
class Reaper:
    """A daemon thread that is started with the first Store to delete and ends when the engine is closed."""

    def __init__(self) -> None:
        self._stores: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def delete_store(self, store: int) -> None:
        """Delete a Store soon, after `close` or without a thread at once; may be called from any thread."""
        with self._lock:
            if not self._closed and self._has_thread():
                self._stores.put(store)
                return
        capi.store_delete(store)

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="airssys-reaper", daemon=True)
            with contextlib.suppress(RuntimeError):  # the system has none left: the next Store tries again
                thread.start()
                self._thread = thread
        return self._thread is not None

    def close(self) -> list[threading.Thread]:
        """Ask the thread to end after what it has; returns it, if there is one, for the caller to wait for."""
        with self._lock:
            thread, self._thread, self._closed = self._thread, None, True
        if thread is None:
            return []
        self._stores.put(0)
        return [thread]

    def _work(self) -> None:
        while store := self._stores.get():
            capi.store_delete(store)
