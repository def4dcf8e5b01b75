"""How much of a core the event loop's thread wants, for a thread that would work on what it leaves.

It is the time that it ran and the time that it waited for a core, of `/proc/self/task/TID/schedstat` (Linux,
Documentation/scheduler/sched-stats.rst). Without the second, a loop that is starved would look like one that rests.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Final, Self

PERIOD: Final = 0.02
"""Seconds that a reading looks back at least; the system counts a thread that is running up to the last 4 ms or so."""

MOST_WANTED: Final = 0.25
"""Of a core, by the loop, up to which its core counts as left. A loop that does more would find its core taken whenever
it wakes, and have to wait for the system to give it back."""


class LoopShare:
    """What one thread wants, as another one sees it.

    Args:
        own: seconds for which the thread has had or wanted a core; raises OSError once it has ended.
        wall: seconds of a monotonic clock.
    """

    def __init__(self, own: Callable[[], float], wall: Callable[[], float] = time.monotonic) -> None:
        self._own, self._wall = own, wall
        self._then, self._own_then = wall(), own()
        self._is_left = False

    @classmethod
    @contextlib.contextmanager
    def of(cls, thread: int) -> Iterator[Self | None]:
        """Of a thread by its native id; None where the system does not tell."""
        try:
            file = os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            yield None
            return
        try:
            yield cls(lambda: _wanted(os.pread(file, 128, 0)))
        finally:
            os.close(file)

    def leaves_room(self) -> bool:
        """Whether the thread left most of a core to others since the last reading, which is `PERIOD` ago or more."""
        now = self._wall()
        passed = now - self._then
        if passed < PERIOD:
            return self._is_left
        try:
            own = self._own()
        except OSError:  # it has ended, and the loop with it
            return False
        self._is_left = own - self._own_then <= MOST_WANTED * passed
        self._then, self._own_then = now, own
        return self._is_left


def _wanted(line: bytes) -> float:
    """Seconds on a core and in a run queue."""
    ran, waited, _ = line.split()
    return (int(ran) + int(waited)) / 1e9
