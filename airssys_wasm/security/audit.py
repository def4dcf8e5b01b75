"""The audit trail: every decision of the guard, on its way to the sinks without holding anybody up."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, final

from airssys_wasm.security.decision import AuditEntry, Decision
from airssys_wasm.security.folding import Folding
from airssys_wasm.security.lane import Lane
from airssys_wasm.security.sinks import MemorySink, Sink, check_count

CAPACITY: Final = 8192
"""Entries that wait for one sink: 50 ms of a very busy system, some 2 MB."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds for all sinks together to write what they have; as long as a component has to stop."""

_logger = logging.getLogger(__name__)


@final
class Audit:
    """Takes decisions from any thread, folds identical denials (see `Folding`), and gives every sink each entry.

    A `MemorySink` has an entry at once. Every other sink has a bounded queue and a daemon thread `airssys-audit` of its
    own, so that a slow, full or raising one holds up neither the caller nor the others. What a sink loses is counted,
    and told to it as a `Dropped` when it takes records again. Windows of folded denials close in time only where there
    is such a thread; otherwise with the next decision, or by `close_windows`.

    Args:
        sinks: where entries go.
        capacity: how many entries may wait for one sink.
        clock: the one that `now` of decisions is from, in seconds since 1970.

    Raises:
        ConfigError: The capacity is not a positive number.
    """

    def __init__(self, *sinks: Sink, capacity: int = CAPACITY, clock: Callable[[], float] = time.time) -> None:
        check_count("capacity", capacity, 1)
        self._clock = clock
        self._lock = threading.Lock()
        self._folding = Folding()
        self._closed = False
        self._late = 0
        self._memories = [sink for sink in sinks if isinstance(sink, MemorySink)]
        self._lanes = [Lane(sink, capacity, clock, self._turn) for sink in sinks if not isinstance(sink, MemorySink)]

    @property
    def dropped(self) -> int:
        """Entries that did not reach a sink because its queue was full, or the audit closed; all sinks together."""
        return self._late + sum(lane.dropped for lane in self._lanes)

    @property
    def failed(self) -> int:
        """Entries that a sink did not keep because it raised; all sinks together."""
        return sum(lane.failed for lane in self._lanes)

    def record(self, decision: Decision, now: float) -> None:
        """Write a decision down; neither waits nor raises. After `close` it is only counted."""
        with self._lock:
            if self._closed:
                self._late += 1
            else:
                self._deliver(self._folding.take(decision, now))

    def close_windows(self, now: float) -> None:
        """Write the summaries of the windows that have ended by now."""
        with self._lock:
            if not self._closed:
                self._deliver(self._folding.due(now))

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Write what is left, and end the threads; waits, so it does not belong on an event loop.

        A thread whose sink does not come back within `timeout` seconds is left behind, with a line in the log. Closing
        again does nothing.
        """
        with self._lock:
            if self._closed:
                return
            self._deliver(self._folding.flush())
            self._closed = True
            for lane in self._lanes:
                lane.stop()
        deadline = time.monotonic() + timeout
        for lane in self._lanes:
            if not lane.join(max(0.0, deadline - time.monotonic())):
                _logger.error("audit: %s is still writing after %g s; what it has not written is lost", lane, timeout)

    def _turn(self) -> float | None:
        """Close windows that are due; seconds until the next one is."""
        with self._lock:
            if self._closed:
                return None
            now = self._clock()
            self._deliver(self._folding.due(now))
            due = self._folding.next_due()
            return None if due is None else due - now

    def _deliver(self, entries: Iterable[AuditEntry]) -> None:
        for entry in entries:
            for memory in self._memories:
                memory.write((entry,))
            for lane in self._lanes:
                lane.offer(entry)
