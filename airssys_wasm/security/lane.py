"""One sink's queue and thread: whoever adds to it never waits for the sink."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, final

from airssys_wasm.security.decision import AuditEntry, Dropped, Record
from airssys_wasm.security.sinks import Sink

THREAD_NAME: Final = "airssys-audit"

LINGER: Final = 0.02
"""Seconds from the first entry to the write, so that a busy system wakes the thread fifty times a second, not once an
entry. A process that is killed loses this much of its trail."""

BATCH: Final = 32
"""Records in one write: at some 10 µs a JSON line, the thread has the GIL for a third of a millisecond at a time."""

_logger = logging.getLogger(__name__)


@final
class Lane:
    """A bounded queue that a daemon thread empties into a sink; the thread starts with the first entry.

    `dropped` counts entries that found the queue full, or no thread to take them; `failed` those that the
    sink did not keep. Both are reported to the sink itself, as a `Dropped`, as soon as it takes records again.

    Args:
        sink: where entries go.
        capacity: how many may wait.
        clock: the time of a `Dropped`.
        turn: called by the thread before it writes; returns after how many seconds to call it again, None for when
            there is a new entry.
    """

    def __init__(self, sink: Sink, capacity: int, clock: Callable[[], float], turn: Callable[[], float | None]) -> None:
        self.dropped = 0
        self.failed = 0
        self._sink, self._capacity, self._clock, self._turn = sink, capacity, clock, turn
        self._queue: deque[AuditEntry] = deque()
        self._bell, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._reported = 0
        self._failing = False

    def __str__(self) -> str:
        return type(self._sink).__name__

    def offer(self, entry: AuditEntry) -> None:
        """Add an entry if there is room; returns at once. One caller at a time, and none after `stop`."""
        if len(self._queue) >= self._capacity or not self._started():
            self.dropped += 1
            return
        self._queue.append(entry)
        if not self._bell.is_set():
            self._bell.set()

    def stop(self) -> None:
        """Let the thread end once the queue is empty."""
        self._stopping.set()
        self._bell.set()

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end; whether it has ended."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def _started(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name=THREAD_NAME, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is ending
                return False
            self._thread = thread
        return True

    def _work(self) -> None:
        wait: float | None = None
        last = False
        while not last:
            self._bell.wait(wait)
            self._bell.clear()
            last = self._stopping.wait(LINGER)
            wait = self._turn()
            self._drain()

    def _drain(self) -> None:
        well = True
        while self._queue or (well and self._missing):
            well = self._write([self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))])

    @property
    def _missing(self) -> int:
        """Entries that were lost and that the sink has not been told of."""
        return self.dropped + self.failed - self._reported

    def _write(self, entries: list[AuditEntry]) -> bool:
        missing = self._missing
        records: list[Record] = [*entries, *([Dropped(missing, self._clock())] if missing else [])]
        try:
            self._sink.write(records)
        except Exception as exc:  # noqa: BLE001 - whatever a sink raises is counted, and hurts no other
            if not self._failing:
                _logger.error("audit: %s fails, entries are lost until it works: %r", self, exc)  # noqa: TRY400 - one line
            self._failing = True
            self.failed += len(entries)
            return False
        self._failing = False
        self._reported += missing
        return True
