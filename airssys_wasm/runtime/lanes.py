"""Where calls are polled: the loop's budget, the fair run queue behind it, and the worker threads.

| lane | who | slice | then |
|---|---|---|---|
| loop | a call that starts, or that the host has answered, while the turn's budget lasts | 1 tick | background |
| background | calls that outlived it, one at a time | 1 tick, then `FREE_TURNS` turns of the loop | thread |
| thread | what still runs after a few slices, or is not trusted yet | `THREAD_SLICE_TICKS`; newcomers 1, and first | |
| spare thread | the same, where others wait, while the loop leaves its core to it (`share.py`) | the same | |
| blocking | guests whose imports can block, each call with a thread of its own | until it ends | abandoned if stuck |
"""

import asyncio
import contextlib
import functools
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, final

from airssys_wasm.runtime.job import Job, Pollable, settled
from airssys_wasm.runtime.share import LoopShare
from airssys_wasm.runtime.ticker import TICK

FREE_TURNS: Final = 8
"""Turns the loop has for itself after each background slice: a timer, an actor and an asker need two or three each."""

MOST_WOKEN: Final = 64
"""First slices that one turn of the loop may have: short calls of some 20 µs fill the budget, longer ones wait on."""

THREAD_SLICE_TICKS: Final = 10
"""Ticks a call runs in a worker before another one's turn; longer slices do more work beside a busy loop."""

POLL_THREADS: Final = max(1, min(4, (os.cpu_count() or 1) - 1))
"""Workers for guests that compute. One core is the loop's: with a worker on each of two cores, an echo beside 100
endless loops answered a tenth as often, and the loop's median gap was ten times as long."""

HAS_SPARE: Final = min(4, os.cpu_count() or 1) > POLL_THREADS
"""Whether there is a core for the spare thread: the loop's, while that does little."""


@final
class LoopBudget:
    """One tick of guest time per loop turn for first slices, so that guests that wake together share it.

    Time is added up over turns and forgotten in the turn after it has reached a tick; that costs one call in the
    background per tick of guest time, and nothing at all per call.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._spent = 0.0
        self.left = True
        """Whether another first slice may run in this turn."""

    def charge(self, seconds: float) -> None:
        """Count time that a guest took on the loop."""
        self._spent += seconds
        if self._spent >= TICK and self.left:
            self.left = False
            self._loop.call_soon(self._renew)

    def _renew(self) -> None:
        self._spent, self.left = 0.0, True


@final
class Lines:
    """Jobs that may be short and jobs that are long by now, in a line each; a job is long after a whole thread slice.

    A short one then waits for the slice under way and for those before it in its line, however many long ones there
    are, and in a flood of short ones the long ones together have half of the time. May be used from any thread.
    """

    def __init__(self) -> None:
        self._short: deque[Job] = deque()
        self._long: deque[Job] = deque()
        self._credit = THREAD_SLICE_TICKS
        """Ticks for the short ones until it is a long one's turn."""

    def __bool__(self) -> bool:
        return bool(self._short or self._long)

    def add(self, job: Job) -> None:
        """Wait at the end of a line."""
        (self._long if is_long(job) else self._short).append(job)

    def pop(self) -> Job | None:
        """The next one; None when both lines are empty."""
        first, second = self._short, self._long
        if self._credit <= 0:
            first, second = second, first
        for line in (first, second):
            with contextlib.suppress(IndexError):
                job = line.popleft()
                self._charge(job)
                return job
        return None

    def _charge(self, job: Job) -> None:
        if is_long(job):
            self._credit = THREAD_SLICE_TICKS
        elif self._long:
            self._credit -= job.call.slice_ticks


def is_long(job: Job) -> bool:
    """Whether it has had a whole thread slice since it began, or since the host answered."""
    return job.ticks >= THREAD_SLICE_TICKS


@final
class RunQueue:
    """Gives calls their turns on the loop.

    | a call that | gets its turn |
    |---|---|
    | has not run since it began, or since the host answered | in each turn of the loop, as many as its budget allows |
    | has used up a slice | after `FREE_TURNS` turns of the loop, one at a time |
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, budget: LoopBudget) -> None:
        self._loop, self._budget = loop, budget
        self._fresh: deque[asyncio.Future[None]] = deque()
        self._again: list[asyncio.Future[None]] = []
        """Those that were woken and found the budget spent; they come first in the next turn."""
        self._hungry: deque[asyncio.Future[None]] = deque()
        self._free_turns = 0
        self._scheduled = False

    async def turn(self, *, fresh: bool) -> None:
        """Wait until one slice may run, of a call that has not run yet or of one that goes on.

        Cancellation: the turn goes to the next.
        """
        await self._wait_in(self._fresh if fresh else self._hungry)
        while fresh and not self._budget.left:
            await self._wait_in(self._again)

    async def _wait_in(self, line: "deque[asyncio.Future[None]] | list[asyncio.Future[None]]") -> None:
        ready = self._loop.create_future()
        line.append(ready)
        if not self._scheduled:
            self._scheduled, self._free_turns = True, 0
            self._loop.call_soon(self._advance)
        await ready

    def _advance(self) -> None:
        """One turn of the loop, as long as anybody waits."""
        self._fresh.extendleft(reversed(self._again))
        self._again.clear()
        _wake(self._fresh, MOST_WOKEN)
        self._free_turns += 1
        if self._free_turns > FREE_TURNS and self._hungry:
            _wake(self._hungry, 1)
            self._free_turns = 0
        self._scheduled = bool(self._fresh or self._hungry)
        if self._scheduled:
            self._loop.call_soon(self._advance)


def _wake(line: "deque[asyncio.Future[None]]", most: int) -> None:
    """Give the first of a line their turn, but for those that have gone."""
    while line and most:
        ready = line.popleft()
        if not ready.done():
            ready.set_result(None)
            most -= 1


@final
class PollThreads:
    """A few daemon threads that poll calls in turn, started when first needed.

    Args:
        size: how many of them work whatever the loop does.
        spare: whether there is one more, which works while calls wait and the loop leaves its core unused.
        name: what they are called.
    """

    def __init__(self, size: int = POLL_THREADS, *, spare: bool = False, name: str = "poll") -> None:
        self._size, self._name = size, name
        self._jobs = Lines()
        self._tokens: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """True for each job in the lines, False for each thread that is to end."""
        self._threads: list[threading.Thread] = []
        self._has_spare, self._is_closed = spare, False
        self._bell = threading.Event()
        """Rung for the spare thread when a job had to come again because others wait."""

    async def run(self, call: Pollable, *, fresh: bool = True) -> bool:
        """Poll until the call ends (True) or waits for a host function (False).

        A call that is not `fresh` has used up slices elsewhere: it is long from the start.

        Cancellation: a call that waits for a worker leaves at once, one that has one at the next slice; only then this
        returns, so that the caller may delete it. What a guest cannot be interrupted in (copying a large value) is
        waited for.
        """
        job = Job(call, asyncio.get_running_loop())
        job.ticks = 0 if fresh else THREAD_SLICE_TICKS
        self._start_thread()
        self._put(job)
        try:
            return await asyncio.shield(job.done)
        except asyncio.CancelledError:
            call.stopping = True
            if not job.withdraw():
                await settled(job.done)
            raise

    def close(self) -> list[threading.Thread]:
        """Ask the threads to end after the jobs they have; returns them for the caller to wait for, off the loop."""
        threads, self._threads = self._threads, []
        self._is_closed = True
        self._bell.set()
        for _ in threads[: self._size]:  # the spare one, which is the last, hears the bell
            self._tokens.put(False)
        return threads

    def _put(self, job: Job) -> None:
        self._jobs.add(job)
        self._tokens.put(True)

    def _start_thread(self) -> None:
        """Have one thread more, until there are all; the spare one last."""
        if len(self._threads) < self._size:
            self._start(self._work)
        elif self._has_spare:
            self._has_spare = not self._start(functools.partial(self._help, threading.get_native_id()))

    def _start(self, work: Callable[[], None]) -> bool:
        """Whether there is a thread for that; raises RuntimeError where there is none at all."""
        thread = threading.Thread(target=work, name=f"airssys-{self._name}-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has none left: those there are do the work
            if not self._threads:
                raise
            return False
        self._threads.append(thread)
        return True

    def _work(self) -> None:
        while self._tokens.get():
            self._serve(self._jobs.pop())

    def _help(self, loop: int) -> None:
        """Take what waits, as long as the loop leaves room; the others ring again at the end of each of their turns."""
        with LoopShare.of(loop) as share:
            while share is not None and not self._is_closed:
                self._bell.wait()
                self._bell.clear()
                while share.leaves_room() and self._has_token():
                    self._serve(self._jobs.pop(), share)

    def _has_token(self) -> bool:
        """Take the token of a job, if there is one."""
        with contextlib.suppress(queue.Empty):
            if self._tokens.get_nowait():
                return True
            self._tokens.put(False)
        return False

    def _serve(self, job: Job | None, share: LoopShare | None = None) -> None:
        """Give a job its turn, unless it was withdrawn; afterwards this thread holds on to nothing of it."""
        if job is None or not job.take():
            return
        try:
            again = self._turn(job, share)
        except BaseException as exc:  # noqa: BLE001 - it belongs to the asker, not to this thread
            job.fail(exc)
        else:
            if again:
                job.put_back()
                self._put(job)
                self._bell.set()

    def _turn(self, job: Job, share: LoopShare | None) -> bool:
        """Run a job for its turn, or on while nobody else waits; True when it has to come again.

        A turn is one step, but of a long job as many as fill a thread slice: on probation its steps are shorter.
        """
        call, full = job.call, job.ticks + (THREAD_SLICE_TICKS if is_long(job) else 1)
        while job.wanted:
            if call.step():
                job.report(ended=True)
                return False
            if call.waiting:
                break
            job.ticks += call.slice_ticks
            if job.ticks >= full and (self._jobs or not (share is None or share.leaves_room())):
                return True
        job.report(ended=False)
        return False
