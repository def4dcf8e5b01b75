"""How much of a core the event loop's thread takes, for those who would work on what it leaves."""

import threading
import time
from collections.abc import Callable
from typing import Final, Self

PERIOD: Final = 0.005
"""Seconds that a reading looks back at least: half a thread slice."""

MOST_TAKEN: Final = 0.25
"""Of a core, by the loop, up to which its core counts as left. A loop that does more is slowed by whoever joins it: it
then finds its core taken each time it wakes, and has to wait for the system to give it back."""


class LoopShare:
    """What one thread takes, read by others; by one of them at a time.

    Args:
        own: seconds that the thread has had a core for; raises OSError once it has ended.
        wall: seconds of a monotonic clock.
    """

    def __init__(self, own: Callable[[], float], wall: Callable[[], float] = time.monotonic) -> None:
        self._own, self._wall = own, wall
        self._then, self._own_then = wall(), own()
        self._is_left = False

    @classmethod
    def of_this_thread(cls) -> Self | None:
        """Of the thread that calls; None where the system does not tell one thread's time to another (macOS)."""
        clock_of = getattr(time, "pthread_getcpuclockid", None)
        if clock_of is None:
            return None
        clock: int = clock_of(threading.get_ident())
        return cls(lambda: time.clock_gettime(clock))

    def leaves_room(self) -> bool:
        """Whether the thread left most of a core unused since the last reading, which is `PERIOD` ago or more."""
        now = self._wall()
        passed = now - self._then
        if passed < PERIOD:
            return self._is_left
        try:
            own = self._own()
        except OSError:  # it has ended, and the loop with it
            return False
        self._is_left = own - self._own_then <= MOST_TAKEN * passed
        self._then, self._own_then = now, own
        return self._is_left
