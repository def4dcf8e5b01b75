"""Drives guest calls through the lanes: the loop first, then the background, then a thread (`lanes.py`)."""

import asyncio
import contextlib
import threading
from asyncio import get_running_loop
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, final

import anyio

from airssys_wasm.core.config import Execution
from airssys_wasm.core.errors import DeadlineExceeded, HostFunctionError, Interrupted, Trap
from airssys_wasm.runtime.abi.pace import Paced
from airssys_wasm.runtime.blocking import BlockingThreads
from airssys_wasm.runtime.call import Call
from airssys_wasm.runtime.clock import DOUBTFUL_STEP, LoopClock
from airssys_wasm.runtime.conduct import LONG_STEP, Conduct
from airssys_wasm.runtime.conversion import CONVERTER_THREADS, Conversion, Turns
from airssys_wasm.runtime.fibers import Fiber
from airssys_wasm.runtime.lanes import HAS_SPARE, THREAD_SLICE_TICKS, LoopBudget, PollThreads, RunQueue

LOOP_SLICES: Final = 3
"""Full slices a call gets on the loop before a thread takes it over."""

HOST_CALL_COST: Final = 5e-6
"""Seconds of Python around one host call, charged to the loop's budget so that chatty guests share it too."""


ASK_COST: Final = 4e-6
"""The same around a call that is begun outside its actor's task, so that asks in a row leave the loop its turns."""

_AUTO: Final = Execution.AUTO
"""Looked up once: up to Python 3.11 that costs as much as a call."""

_ELSEWHERE: Final = "this engine belongs to another event loop; make one on each"


class Lane(Enum):
    """Where a call is polled."""

    LOOP = "loop"
    THREAD = "thread"
    BLOCKING = "blocking"


@final
class Scheduler:
    """Runs the guest calls of one engine on one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.clock = LoopClock()
        self._budget = LoopBudget(self._loop)
        self._queue = RunQueue(self._loop, self._budget)
        self._threads = PollThreads(spare=HAS_SPARE)
        self._converters = PollThreads(CONVERTER_THREADS, name="convert")
        self._turns = Turns()
        self._blocking = BlockingThreads()

    @property
    def abandoned_threads(self) -> int:
        """Threads stuck in a blocking import."""
        return self._blocking.abandoned

    def call(self, function: Callable[[Any], None], argument: Any) -> None:
        """Call a short function on the loop: now, or soon from another thread; in that thread once the loop is gone."""
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = self._loop.is_closed()
        if not here:
            with contextlib.suppress(RuntimeError):  # it was closed just now
                self._loop.call_soon_threadsafe(function, argument)
                return
        function(argument)

    def close(self) -> list[threading.Thread]:
        """Ask the worker threads to end; returns those to wait for, without the ones that are stuck."""
        return self._threads.close() + self._converters.close()

    def ends_at_once(self, call: Call, conduct: Conduct, cost: float = 0.0) -> bool:
        """Run a call's first slice on the loop, if that is its place now; whether the call has ended.

        If not, `run` goes on with it. One that has ended took no suspension point at all; `Call.result` has its answer.

        Args:
            call: a call that has not begun.
            conduct: what is known of its component.
            cost: seconds besides the slice that the loop is held for, about.

        Raises:
            Trap: The instance is spent by an earlier call.
            RuntimeError: As `run`.
        """
        fiber, budget = call.fiber, self._budget
        if fiber.spent or get_running_loop() is not self._loop:
            self._check(fiber)
        if call.large or not budget.left or not _begins_on_loop(fiber, conduct):
            return False
        ended = call.step()
        budget.charge(call.step_time + cost)  # by the wall clock: that is how long the loop was held
        if ended:
            fiber.spent = call.failed is not None
            conduct.record(call.longest_step, on_thread=False)
        return ended

    async def run(self, call: Call, conduct: Conduct, *, blocking: bool = False) -> None:
        """Bring one guest call to its end, which may have begun on the loop; `Call.result` has its answer.

        Raises:
            Trap: The guest trapped, ran out of fuel, or its instance is spent by an earlier call.
            DeadlineExceeded: It was not through after `Limits.max_execution_time`.
            Interrupted: `Fiber.interrupt` was called.
            HostFunctionError: A host function raised.
            TooManyThreads: A blocking guest found no thread.
            RuntimeError: Another event loop is running than the one that the engine was made on.

        Cancellation: the guest is stopped and its instance is spent.
        """
        fiber = call.fiber
        self._check(fiber)
        lane = Lane.BLOCKING if blocking else _first_lane(call, conduct)
        try:
            if lane is not Lane.LOOP:
                _move_to_thread(call, conduct)
            await self._go_on(call, lane)
        finally:
            if not (call.large or call.copies_much):  # what copying takes is not the guest's doing
                _judge(call, conduct)
        fiber.spent = call.failed is not None

    def _check(self, fiber: Fiber) -> None:
        if get_running_loop() is not self._loop:
            raise RuntimeError(_ELSEWHERE)
        if fiber.spent:
            raise Trap("the instance is spent: an earlier call did not end well", "spent")

    def _step(self, call: Call) -> bool:
        ended = call.step()
        self._budget.charge(call.step_time)
        return ended

    async def _go_on(self, call: Call, lane: Lane) -> None:
        """Bring a call to its end, or raise what ends it before."""
        fiber, seconds = call.fiber, call.fiber.state.limits.max_execution_time
        with anyio.CancelScope(deadline=self._loop.time() + seconds) as scope:
            fiber.scope = scope
            if fiber.interrupted:  # between its first step and this
                scope.cancel()
            try:
                await self._drive(call, lane)
            except HostFunctionError:  # at the moment of the interruption
                if not fiber.interrupted:
                    raise
            finally:
                call.give_up()
                fiber.leave()
        interrupted, fiber.interrupted = fiber.interrupted, False
        if interrupted:  # also when a thread has just ended it: whoever interrupted it has been told so
            fiber.spent = True
            raise Interrupted
        if not call.ended:
            raise DeadlineExceeded(seconds)

    async def _drive(self, call: Call, lane: Lane) -> None:
        """Poll the call in its lane and answer its host calls, until it has ended."""
        fiber, full_slices, holds, fresh = call.fiber, 0, False, call.own_time <= DOUBTFUL_STEP
        while not call.ended:
            if call.heavy is not None:
                await self.convert(call.convert, call.heavy)
                holds = True
                continue
            if fiber.host_call is not None:
                holds = await fiber.answer_host(self.convert)
                self._budget.charge(HOST_CALL_COST)
                fresh = True
                if lane is Lane.LOOP and self._budget.left and not holds:
                    self._step(call)
                    continue
            if (holds or full_slices >= LOOP_SLICES) and lane is Lane.LOOP and fiber.state.execution is Execution.AUTO:
                lane = Lane.THREAD
                call.move_to_thread(THREAD_SLICE_TICKS)
            if lane is Lane.LOOP:
                fresh = not await self._background_slice(call, fresh=fresh)
                full_slices += not fresh
            elif lane is Lane.THREAD:
                await self._threads.run(call, fresh=fresh)
            else:
                await self._blocking.run(call, str(fiber.state.component_id))

    async def convert(self, work: Callable[[], Any], paced: Paced) -> Any:
        """Run a conversion in a thread for it; returns its value.

        Cancellation: the conversion is withdrawn, and its thread has left it.
        """
        conversion = Conversion(work, paced, self._turns)
        await self._converters.run(conversion)
        return conversion.value

    async def _background_slice(self, call: Call, *, fresh: bool) -> bool:
        """One slice in the call's turn; True when the guest used it up, rather than ending or calling the host."""
        await self._queue.turn(fresh=fresh)
        self._step(call)
        return call.own_time > DOUBTFUL_STEP


def _begins_on_loop(fiber: Fiber, conduct: Conduct) -> bool:
    execution = fiber.state.execution
    return not conduct.needs_thread if execution is _AUTO else execution is Execution.LOOP


def _first_lane(call: Call, conduct: Conduct) -> Lane:
    """Where a call goes that has not ended at once."""
    fiber = call.fiber
    if fiber.state.execution is not _AUTO:
        return Lane(fiber.state.execution.value)
    return Lane.THREAD if call.large or not (fiber.future or _begins_on_loop(fiber, conduct)) else Lane.LOOP


def _judge(call: Call, conduct: Conduct) -> None:
    """A call that did not end proves nothing good."""
    if call.ended or call.longest_step > LONG_STEP:
        conduct.record(call.longest_step, on_thread=call.on_thread or call.answers_much)


def _move_to_thread(call: Call, conduct: Conduct) -> None:
    """On probation a slice is one tick, so that a step that goes beyond it shows."""
    call.move_to_thread(1 if conduct.probation else THREAD_SLICE_TICKS)
