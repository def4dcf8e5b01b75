"""Native asyncio guest calls: a call is a future of wasmtime's, polled a slice at a time, on the loop or on a thread.

A guest call runs on a stack of its own. It leaves that stack when its slice is over (an epoch tick) or when it calls a
host function; the poll then returns False. The host function is awaited by the very task that makes the guest call, so
cancelling that task cancels both, and no task is made for either.

```
run ─► begin ─► poll ─┬─ ended ───────────────► lift the answer
        ▲             ├─ slice over ─► lane ──► poll again
        │             └─ host call ──► await ─► write its result, poll again
        └ deadline, interrupt, cancel: delete the future; the instance is spent
```

This file is one call and one Store's calls; `scheduler.py` drives them. Facts about the C API that both stand on are
tests in `tests/runtime/test_wasmtime_contract.py`.
"""

import asyncio
import ctypes
import time
from collections.abc import Callable
from typing import Any, final

import anyio
import attrs

from airssys_wasm.core.errors import Interrupted
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.handles import Handles, leave
from airssys_wasm.runtime.abi.pace import Heavy, Lifting, Paced
from airssys_wasm.runtime.abi.places import Places
from airssys_wasm.runtime.abi.values import Keep, release
from airssys_wasm.runtime.clock import LoopClock
from airssys_wasm.runtime.hostcall import Convert, HostCall
from airssys_wasm.runtime.limiter import burnt, refill
from airssys_wasm.runtime.ticker import TICK, EpochTicker
from airssys_wasm.runtime.traps import trap_from


@final
@attrs.define(eq=False, repr=False)
class Fiber:
    """The calls of one Store, one after the other, and what they share: context, places, future, host call."""

    context: int
    state: HostState
    _ticker: EpochTicker
    clock: LoopClock
    key: int
    places: Places = attrs.field(factory=Places, init=False)
    address: int = attrs.field(init=False)
    """Of the places."""
    future: int = attrs.field(default=0, init=False)
    host_call: HostCall | None = attrs.field(default=None, init=False)
    handles: Handles | None = attrs.field(default=None, init=False)
    """The resources of the Store; None where its component has none."""
    guest_time: float = attrs.field(default=0.0, init=False)
    fuel: int = attrs.field(default=0, init=False)
    spent: bool = attrs.field(default=False, init=False)
    abandoned: bool = attrs.field(default=False, init=False)
    scope: anyio.CancelScope | None = attrs.field(default=None, init=False)
    interrupted: bool = attrs.field(default=False, init=False)
    _left: asyncio.Event | None = attrs.field(default=None, init=False)
    _ticks: int = attrs.field(default=1, init=False)

    def __attrs_post_init__(self) -> None:
        self.address = ctypes.addressof(self.places)

    def prepare(self, ticks: int) -> None:
        """Before a call begins: full fuel, and a first slice of that many ticks."""
        max_fuel = self.state.limits.max_fuel
        if max_fuel is not None:
            refill(self.context, max_fuel)
        capi.context_set_epoch_deadline(self.context, ticks)
        if ticks != self._ticks:
            self.set_slice(ticks)

    def set_slice(self, ticks: int) -> None:
        """Set the length of the slices after the one under way."""
        if ticks != self._ticks:
            capi.context_yield_at_epoch(self.context, ticks)
            self._ticks = ticks

    def poll(self) -> bool:
        """Run the guest until its slice is over, it waits for the host, or it has ended (True)."""
        try:
            self._ticker.enter(self.key)
            return bool(capi.future_poll(self.future))
        finally:
            self._ticker.leave(self.key)

    def enter_host(self, call: HostCall) -> None:
        """Note the host function that the guest waits for; refuses a guest that nobody waits for any more."""
        if self.abandoned:
            raise Interrupted
        self.host_call = call

    def abandon(self) -> None:
        """A thread is stuck in the call. Its slice is over by now: should it ever run guest code again, it leaves."""
        self.abandoned = self.spent = True
        self._ticker.leave(self.key)

    async def answer_host(self, convert: Convert) -> bool:
        """Await the host function that the guest waits for; as `HostCall.answer`."""
        if self.handles is not None:
            leave(self.handles.settle())
        large = self.host_call is not None and await self.host_call.answer(self.state, convert)
        self.host_call = None
        return large

    def delete_future(self) -> str | None:
        """Give the future back to wasmtime; the text of the error that ended the call, None for none.

        Deleting one that has not ended cancels the guest and spends the instance.
        """
        if self.future:
            capi.future_delete(self.future)
            self.future = 0
        self.host_call = None
        error = self.places.error
        if not error:
            return None
        self.places.error = 0
        return capi.take_error(error)

    def interrupt(self) -> None:
        """Stop the call in progress, if it has ever given the loop back; otherwise there is none."""
        if self.scope is not None:
            self.interrupted = True
            self.scope.cancel()

    async def stop(self) -> None:
        """Interrupt the call in progress and wait until there is none and no thread is at it; nothing without one."""
        while self.scope is not None:
            self._left = self._left or asyncio.Event()
            self.interrupt()
            await self._left.wait()

    def leave(self) -> None:
        """No call is in progress any more."""
        self.scope = None
        left, self._left = self._left, None
        if left is not None:
            left.set()


@final
class Call:
    """One guest call: how it begins, how its answer is read, how far it is. One thread at a time uses it."""

    slice_ticks = 1
    stopping = False
    ended = False
    step_time = 0.0
    """Seconds that the last step took; on the loop by the wall clock."""
    own_time = 0.0
    """Seconds that it had a core for."""
    longest_step = 0.0
    """The same of the longest step; ticks it was given beyond the first are not held against the guest."""
    on_thread = False
    heavy: Paced | None = None
    """The conversion that is too long for a step and comes next: of the arguments, or of the answer."""
    copies_much = False
    """Whether its arguments are that long, so that wasmtime's copying them takes long too."""
    _answered = False
    _value: Any = None
    _failed: Exception | None = None

    def __init__(
        self,
        fiber: Fiber,
        begin: Callable[[Keep], int],
        end: Callable[[], Any],
        on_retired: Callable[[], None],
        error: Callable[[str], Exception] = trap_from,
        *,
        keep: Keep | None = None,
        lifting: Lifting | None = None,
    ) -> None:
        self.fiber = fiber
        fiber.interrupted = False  # that may have been said to an earlier one, as it was cancelled
        self._begin, self._end, self._on_retired, self._error = begin, end, on_retired, error
        self._keep = Keep() if keep is None else keep
        self._lifting = lifting

    @property
    def waiting(self) -> bool:
        """Whether the guest waits for a host function, or the call for a conversion."""
        return self.fiber.host_call is not None or self.heavy is not None

    def result(self) -> Any:
        """The answer of an ended call, once; raises what ended it otherwise."""
        failed, self._failed = self._failed, None
        try:
            if failed is not None:
                raise failed
            return self._value
        finally:
            del failed  # its traceback leads back here: no cycle, so that the guest goes without a garbage collection

    def step(self) -> bool:
        """Run the guest for a slice on this thread; True when the call has ended. No conversion in it takes long."""
        fiber, on_thread = self.fiber, self.on_thread
        started = time.thread_time() if on_thread else fiber.clock.begin()
        if fiber.future:
            fiber.set_slice(self.slice_ticks)
        else:
            self._start()
        self.ended = ended = self.heavy is None and self._poll() and self._finish()
        if on_thread:
            seconds = own = time.thread_time() - started
        else:
            seconds, own = fiber.clock.end(started)
        fiber.guest_time += seconds
        self.step_time, self.own_time = seconds, own
        beyond = own - (self.slice_ticks - 1) * TICK
        if beyond > self.longest_step:  # noqa: PLR1730 - `max` would be a call more for every message
            self.longest_step = beyond
        return ended

    @property
    def answers_much(self) -> bool:
        """Whether its answer was too long for a step, so that nothing else made the last one long."""
        return self._lifting is not None and self._lifting.in_thread

    @property
    def failed(self) -> bool:
        """Whether the call ended in an error, which spends its instance."""
        return self._failed is not None

    def move_to_thread(self, slice_ticks: int) -> None:
        """From now on the call is polled in a thread, whose time is its own, in slices of that length."""
        self.slice_ticks = slice_ticks
        self.on_thread = True

    def convert(self) -> None:
        """Do the conversion that was too long for a step, in a thread for it."""
        self.heavy = None
        if self._answered:
            self.ended = self._read()
        else:
            self.fiber.future = self._begin(self._keep)

    def give_up(self) -> None:
        """Cancel a call that has not ended; one that is abandoned belongs to its thread."""
        if self.ended or not (self.fiber.future or self._answered):
            return
        self.fiber.spent = True
        if not self.fiber.abandoned:
            self.fiber.delete_future()

    def abandon(self) -> None:
        """Leave the call, its Store and all to the thread that it is stuck in."""
        self.fiber.abandon()

    def retire(self) -> None:
        """Free an abandoned call with its Store, on the thread that it had kept."""
        self.fiber.delete_future()
        self._on_retired()

    def _start(self) -> None:
        self.fiber.prepare(self.slice_ticks)
        try:
            self.fiber.future = self._begin(self._keep)
        except Heavy:
            self.heavy, self.copies_much = self._keep, True

    def _poll(self) -> bool:
        try:
            return self.fiber.poll()
        except BaseException:  # nobody knows how far the guest got, and what it was called with goes now
            self.give_up()
            raise

    def _finish(self) -> bool:
        """The guest has ended; whether its answer has been read."""
        fiber = self.fiber
        text, max_fuel = fiber.delete_future(), fiber.state.limits.max_fuel
        if max_fuel is not None:
            fiber.fuel += burnt(fiber.context, max_fuel)
        release(self._keep)
        self._answered = True
        if text is None:
            return self._read()
        self._failed = self._error(text)
        return True

    def _read(self) -> bool:
        try:
            self._value = self._end()
        except Heavy:
            self.heavy = self._lifting
            return False
        except Exception as exc:  # noqa: BLE001 - kept for whoever asks for the answer
            self._failed = exc
        return True
