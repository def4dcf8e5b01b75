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

This file is one Store's calls, `call.py` is one of them; `scheduler.py` drives them. Facts about the C API that all
stand on are tests in `tests/runtime/test_wasmtime_contract.py`.
"""

import asyncio
import ctypes
from collections.abc import Callable
from typing import final

import anyio
import attrs

from airssys_wasm.core.errors import Interrupted
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.handles import Handles, leave
from airssys_wasm.runtime.abi.places import Places
from airssys_wasm.runtime.clock import LoopClock
from airssys_wasm.runtime.hostcall import Convert, HostCall
from airssys_wasm.runtime.limiter import refill
from airssys_wasm.runtime.ticker import EpochTicker


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
    max_fuel: int | None = attrs.field(init=False)
    fuel: int = attrs.field(default=0, init=False)
    spent: bool = attrs.field(default=False, init=False)
    abandoned: bool = attrs.field(default=False, init=False)
    scope: anyio.CancelScope | None = attrs.field(default=None, init=False)
    interrupted: bool = attrs.field(default=False, init=False)
    on_retired: Callable[[], None] | None = attrs.field(default=None, init=False)
    """Frees the Store, on the thread that an abandoned call had kept."""
    _left: asyncio.Event | None = attrs.field(default=None, init=False)
    _ticks: int = attrs.field(default=1, init=False)
    _give_tick: Callable[[], None] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.address, self.max_fuel = ctypes.addressof(self.places), self.state.limits.max_fuel

    def prepare(self, ticks: int) -> None:
        """Before a call begins: full fuel, and a first slice of that many ticks."""
        if self.max_fuel is not None:
            refill(self.context, self.max_fuel)
        if ticks == self._ticks == 1:  # as on the loop
            self._give_tick = self._give_tick or capi.bound(capi.context_set_epoch_deadline, self.context, 1)
            self._give_tick()
        else:
            capi.context_set_epoch_deadline(self.context, ticks)
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
            return capi.future_poll(self.future)  # type: ignore[no-any-return]
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
        """Stop the call in progress, if there is one: from its first step on, until it has ended."""
        self.interrupted = True  # also for whoever is going to drive a call that has begun
        if self.scope is not None:
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
