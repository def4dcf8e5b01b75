"""A clock that stands still until a test moves it."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Final, final

import attrs

TURNS: Final = 32
"""Turns of the loop after each step: enough for a supervisor, an actor and an asker to react to one another."""


@final
@attrs.define(order=True)
class ManualTimer:
    """A callback that waits for its time on a `ManualClock`."""

    when: float
    number: int
    callback: Callable[[], object] = attrs.field(order=False)
    cancelled: bool = attrs.field(default=False, order=False)

    def cancel(self) -> None:
        """Forget the callback; nothing when it has run."""
        self.cancelled = True


@final
class ManualClock:
    """A `Clock` for tests: callbacks run inside `advance`, in the order of their times."""

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._timers: list[ManualTimer] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        """Seconds, as far as the test has moved."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], object], /) -> ManualTimer:
        """Call back when the test moves past that time; at the next `advance` when it has passed."""
        timer = ManualTimer(when, next(self._numbers), callback)
        heapq.heappush(self._timers, timer)
        return timer

    @property
    def pending(self) -> list[float]:
        """When the callbacks that wait are due, earliest first."""
        return sorted(timer.when for timer in self._timers if not timer.cancelled)

    async def advance(self, seconds: float) -> None:
        """Move on, running what becomes due and letting the loop react to each."""
        end = self._now + seconds
        await settle()
        while self._timers and self._timers[0].when <= end:
            timer = heapq.heappop(self._timers)
            if timer.cancelled:
                continue
            self._now = max(self._now, timer.when)
            timer.callback()
            await settle()
        self._now = end
        await settle()

    async def advance_to_next(self) -> None:
        """Move on to the earliest time that something waits for; when nothing does, stay."""
        await settle()
        if pending := self.pending:
            await self.advance(max(0.0, pending[0] - self._now))


async def settle() -> None:
    """Let everything that is ready run; nothing waits for real time."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
