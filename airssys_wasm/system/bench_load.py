"""Sends messages and times their answers, in a closed or in an open loop.

| loop | a message is sent | its latency counts from | shows |
|---|---|---|---|
| closed | when its asker has the answer to the one before | then | what a caller who waits gets |
| open | at its due time, whatever became of others | its due time, even if no asker was free | what a crowd gets |
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Protocol, final

import anyio
import attrs

from airssys_wasm.core.errors import ActorStopped, AirssysError, GuestError
from airssys_wasm.system.bench_histogram import Histogram
from airssys_wasm.system.bench_spec import BenchSpec, due_times

_NANO: Final = 1_000_000_000

_TIMER_SLACK: Final = 0.002
"""Seconds before a due time in which it is waited for by giving turns: timers of the loop are a millisecond late."""

_PATIENCE: Final = 1.0
"""Seconds, or as long as the run if that is longer, that an open loop waits for the last answers."""

_BURST: Final = 16
"""Messages sent at once by a loop that is late, before others get a turn."""


class Target(Protocol):
    """What messages are sent to."""

    async def send(self, payload: bytes) -> None:
        """Send one and wait until it has been handled; raises AirssysError."""
        ...


@final
@attrs.define(eq=False)
class Tally:
    """What became of the messages of one run; `failure` is what made further ones pointless."""

    latency: Histogram = attrs.field(factory=Histogram)
    messages: int = 0
    errors: Counter[str] = attrs.field(factory=Counter)
    unanswered: int = 0
    failure: ActorStopped | None = None

    async def time(self, target: Target, payload: bytes, since_ns: int) -> None:
        """Send a message and count how it ended; after a `failure` no further one is to be sent."""
        try:
            await target.send(payload)
        except ActorStopped as exc:
            self.failure = exc
        except AirssysError as exc:
            self.errors[_word(exc)] += 1
        else:
            self.messages += 1
            self.latency.record(time.perf_counter_ns() - since_ns)


def _word(error: AirssysError) -> str:
    name = type(error.__cause__ or error).__name__
    return f"{name} {error.case}" if isinstance(error, GuestError) else name


async def drive(target: Target, payloads: Sequence[bytes], spec: BenchSpec, seconds: float, tally: Tally) -> None:
    """Send for so many seconds, as the spec says, and wait for the answers.

    Raises:
        ActorStopped: A component has ended for good.

    Cancellation: what is under way goes on in its actors.
    """
    loop = _Closed if spec.rate is None else _Open
    await loop(target, itertools.cycle(payloads), spec, seconds, tally).run()
    if tally.failure is not None:
        raise tally.failure


@final
@attrs.frozen(eq=False)
class _Closed:
    target: Target
    payloads: Iterator[bytes]
    spec: BenchSpec
    seconds: float
    tally: Tally

    async def run(self) -> None:
        end = time.perf_counter_ns() + int(self.seconds * _NANO)
        async with anyio.create_task_group() as askers:
            for _ in range(self.spec.concurrency):
                askers.start_soon(self._ask_until, end, askers.cancel_scope)

    async def _ask_until(self, end: int, scope: anyio.CancelScope) -> None:
        while self.tally.failure is None and (now := time.perf_counter_ns()) < end:
            await self.tally.time(self.target, next(self.payloads), now)
        if self.tally.failure is not None:
            scope.cancel()


@final
@attrs.define(eq=False)
class _Open:
    target: Target
    payloads: Iterator[bytes]
    spec: BenchSpec
    seconds: float
    tally: Tally
    _due: "asyncio.Queue[int]" = attrs.field(factory=asyncio.Queue, init=False)
    _under_way: set[int] = attrs.field(factory=set, init=False)
    """Due times, each of one message: no two are the same nanosecond."""

    async def run(self) -> None:
        async with anyio.create_task_group() as askers:
            for _ in range(self.spec.concurrency):
                askers.start_soon(self._answer, askers.cancel_scope)
            await self._send()
            with anyio.move_on_after(max(_PATIENCE, self.seconds)):
                await self._due.join()
            askers.cancel_scope.cancel()
        self._count_unanswered()

    async def _send(self) -> None:
        start, last = time.perf_counter_ns(), 0
        for number, due in enumerate(due_times(self.spec.rate or 1.0, self.spec.arrivals, self.spec.seed)):
            if due >= self.seconds:
                return
            last = max(last + 1, start + int(due * _NANO))
            if not await _wait_until(last) and number % _BURST == 0:
                await asyncio.sleep(0)
            self._due.put_nowait(last)

    async def _answer(self, scope: anyio.CancelScope) -> None:
        while self.tally.failure is None:
            due = await self._due.get()
            self._under_way.add(due)
            await self.tally.time(self.target, next(self.payloads), due)
            self._under_way.discard(due)
            self._due.task_done()
        scope.cancel()

    def _count_unanswered(self) -> None:
        left = list(self._under_way)
        while not self._due.empty():
            left.append(self._due.get_nowait())
        now = time.perf_counter_ns()
        for due in left:
            self.tally.unanswered += 1
            self.tally.latency.record(now - due)


async def _wait_until(due: int) -> bool:
    """Wait for a time of `perf_counter_ns`; False when it had passed already."""
    waited = False
    while (left := (due - time.perf_counter_ns()) / _NANO) > 0:
        waited = True
        await asyncio.sleep(left - _TIMER_SLACK if left > 2 * _TIMER_SLACK else 0)
    return waited
