"""How long a step on the event loop had a core, beside how long it took by the wall clock.

On a busy machine a call of 20 µs may take 20 ms by the wall clock, because the loop's thread was preempted meanwhile.
Reading the time of a thread is a system call, too dear before and after every step. So it is read at most a few times
in a millisecond, before a step, and again only after one that was long by the wall clock.
"""

import time
from collections.abc import Callable
from typing import Final, final

from airssys_wasm.runtime.ticker import TICK

MAX_AGE: Final = TICK / 4
"""Seconds by the wall clock for which a reading of the thread's time serves the steps that begin after it."""

DOUBTFUL_STEP: Final = TICK / 2
"""Seconds by the wall clock from which on a step's time is confirmed by the thread's own."""


@final
class LoopClock:
    """The steps' clock of one thread, shared by all calls that are polled on it."""

    def __init__(
        self, wall: Callable[[], float] = time.perf_counter, own: Callable[[], float] = time.thread_time
    ) -> None:
        self._wall, self._own = wall, own
        self._own_then = 0.0
        self._read_at = float("-inf")

    def begin(self) -> float:
        """A step begins: the wall clock."""
        now = self._wall()
        if now - self._read_at > MAX_AGE:
            self._read_at, self._own_then = now, self._own()
        return now

    def end(self, started: float) -> tuple[float, float]:
        """A step is over: the seconds it took by the wall clock, and those that it certainly had a core for.

        What passed between the reading and the step counts as the thread's own whole, so the second is too small by
        `MAX_AGE` at most. Of a step that is short by the wall clock both are the same.
        """
        now = self._wall()
        seconds = now - started
        if seconds <= DOUBTFUL_STEP:
            return seconds, seconds
        own = self._own()
        certain = own - self._own_then - (started - self._read_at)
        self._read_at, self._own_then = now, own
        return seconds, min(seconds, max(0.0, certain))
