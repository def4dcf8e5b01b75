"""Deletes Stores in a thread: giving 64 MiB of guest memory back to the system takes milliseconds."""

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

    def delete_store(self, store: int) -> None:
        """Delete a Store soon; may be called from any thread."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="airssys-reaper", daemon=True)
                self._thread.start()
        self._stores.put(store)

    def close(self) -> threading.Thread | None:
        """Ask the thread to end after what it has; returns it for the caller to wait for, off the loop."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._stores.put(0)
        return thread

    def _work(self) -> None:
        while store := self._stores.get():
            capi.store_delete(store)
