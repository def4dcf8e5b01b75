"""Where calls are polled: the loop's budget, the fair run queue behind it, and the worker threads.

| lane | who | slice | then |
|---|---|---|---|
| loop | a call that starts, while the turn's budget lasts | 1 tick | background |
| background | calls that outlived it, one at a time | 1 tick, then `FREE_TURNS` turns of the loop | thread |
| thread | what still runs after a few slices, or is known to hold on for long | `THREAD_SLICE_TICKS`, in turn | |
| blocking | guests whose imports can block, each call with a thread of its own | until it ends | abandoned if stuck |
"""

import asyncio
import contextlib
import os
import queue
import threading
from collections import deque
from typing import Final, Protocol, final

import anyio

from airssys_wasm.runtime.ticker import TICK

FREE_TURNS: Final = 8
"""Turns the loop has for itself after each background slice: a timer, an actor and an asker need two or three each."""

THREAD_SLICE_TICKS: Final = 20
"""Ticks a call runs in a worker before another one's turn; longer slices do more work beside a busy loop."""

POLL_THREADS: Final = max(1, min(4, os.cpu_count() or 1))
"""Workers for guests that compute; more would only share the same cores."""


class Pollable(Protocol):
    """A call as the threads see it."""

    stopping: bool
    """Set by the loop: leave at the next slice."""

    def step(self) -> bool:
        """Start or go on for a slice; True when the call has ended."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether it waits for a host function, and so not for its next slice."""
        ...

    def abandon(self) -> None:
        """Told on the loop: the thread does not come back, the call is its own now."""
        ...

    def retire(self) -> None:
        """Told on the thread, should it come back after all: free what the call held."""
        ...


@final
class LoopBudget:
    """One tick of guest time per loop turn for first slices, so that guests that wake together share it.

    Time is added up over turns and forgotten in the turn after it has reached a tick; that costs one call in the
    background per tick of guest time, and nothing at all per call.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._spent = 0.0
        self._armed = False

    @property
    def left(self) -> bool:
        """Whether another first slice may run in this turn."""
        return self._spent < TICK

    def charge(self, seconds: float) -> None:
        """Count time that a guest took on the loop."""
        self._spent += seconds
        if self._spent >= TICK and not self._armed:
            self._armed = True
            self._loop.call_soon(self._renew)

    def _renew(self) -> None:
        self._spent, self._armed = 0.0, False


@final
class RunQueue:
    """Gives calls their turns on the loop, first come first served, with free turns of the loop between two."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._scheduled = False

    async def turn(self) -> None:
        """Wait until one slice may run; cancelling gives the turn to the next."""
        ready = self._loop.create_future()
        self._waiting.append(ready)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._advance, FREE_TURNS)
        await ready

    def _advance(self, turns: int) -> None:
        if turns:
            self._loop.call_soon(self._advance, turns - 1)
            return
        while self._waiting:
            ready = self._waiting.popleft()
            if not ready.done():  # a cancelled call has left its turn to the next
                ready.set_result(None)
                break
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._loop.call_soon(self._advance, FREE_TURNS)


@final
class Job:
    """A call in a thread's hands, and the future that tells the loop how it went: True ended, False waits."""

    def __init__(self, call: Pollable, loop: asyncio.AbstractEventLoop) -> None:
        self.call = call
        self.loop = loop
        self.done: asyncio.Future[bool] = loop.create_future()
        self._lock = threading.Lock()
        self._ended = self._abandoned = False

    def abandon(self) -> bool:
        """Leave the call to its thread; False when the thread has just come back by itself."""
        with self._lock:
            self._abandoned = not self._ended
            if self._abandoned:
                self.call.abandon()
            return self._abandoned

    def end(self) -> bool:
        """The thread is through with the call; True when it was abandoned meanwhile."""
        with self._lock:
            self._ended = True
            return self._abandoned

    def report(self, *, ended: bool) -> None:
        """Tell the loop how it went, from the thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._set, ended)

    def fail(self, error: BaseException) -> None:
        """Tell the loop that the call could not be run."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._set_error, error)

    def _set(self, ended: bool) -> None:  # noqa: FBT001 - call_soon_threadsafe passes positions only
        if not self.done.done():
            self.done.set_result(ended)

    def _set_error(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


@final
class PollThreads:
    """A few daemon threads that poll calls in turn, started when first needed."""

    def __init__(self, size: int = POLL_THREADS) -> None:
        self._size = size
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def run(self, call: Pollable) -> bool:
        """Poll until the call ends (True) or waits for a host function (False).

        Cancellation: the call leaves its worker at the next slice; only then this returns, so that the caller may
        delete it. What a guest cannot be interrupted in (copying a large value) is waited for.
        """
        job = Job(call, asyncio.get_running_loop())
        self._start_thread()
        self._jobs.put(job)
        try:
            return await asyncio.shield(job.done)
        except asyncio.CancelledError:
            call.stopping = True
            await settled(job.done)
            raise

    def close(self) -> None:
        """End the threads after the jobs they have; waits for nothing."""
        for _ in self._threads:
            self._jobs.put(None)
        self._threads.clear()

    def _start_thread(self) -> None:
        if len(self._threads) < self._size:
            name = f"airssys-poll-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                again = self._slice(job)
            except BaseException as exc:  # noqa: BLE001 - it belongs to the asker, not to this thread
                job.fail(exc)
            else:
                if again:
                    self._jobs.put(job)
            del job

    def _slice(self, job: Job) -> bool:
        """Run a job for a slice, or on while nobody else waits; True when it has to come again."""
        call = job.call
        while not call.stopping:
            if call.step():
                job.report(ended=True)
                return False
            if call.waiting:
                break
            if not self._jobs.empty():
                return True
        job.report(ended=False)
        return False


async def settled(done: "asyncio.Future[bool]") -> None:
    """Wait for a job whatever happens to the waiting task; its error is the caller's no longer."""
    while not done.done():
        with contextlib.suppress(asyncio.CancelledError), anyio.CancelScope(shield=True):
            await asyncio.wait([done])
    if not done.cancelled():
        done.exception()
