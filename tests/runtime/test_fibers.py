"""What a call holds goes only when nobody is at it: threads, other calls, cancellations of every kind."""

import asyncio
import ctypes
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from wasmtime import Engine

from airssys_wasm.core.config import Execution
from airssys_wasm.core.errors import HostFunctionError
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.places import Places
from airssys_wasm.runtime.abi.types import BOOL, BYTES, FuncType, ListType
from airssys_wasm.runtime.calls import Instantiation
from airssys_wasm.runtime.clock import LoopClock
from airssys_wasm.runtime.fibers import Fiber
from airssys_wasm.runtime.hostcall import HostCall, HostFunction
from airssys_wasm.runtime.scheduler import Scheduler
from airssys_wasm.runtime.ticker import EpochTicker
from tests.runtime.guests import GUEST, Start, said

LARGE = bytes(100_000)


class Gate:
    """Stands before a C function, in whatever thread it is called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.reached, self.open, self.passed = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, *arguments: Any) -> Any:
        """Wait until the gate is open."""
        self.reached.set()
        self.open.wait()
        self.passed.set()
        return self._function(*arguments)


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    """One whose threads are ended."""
    scheduler = Scheduler()
    yield scheduler
    for thread in scheduler.close():
        await asyncio.to_thread(thread.join)


async def wrong(_state: HostState) -> list[object]:
    """A host function whose large result turns out to be none late."""
    return [True] * 10_000 + [0]


async def answered(_state: HostState) -> bytes:
    """A host function whose result is copied in a thread."""
    return LARGE


@pytest.mark.parametrize("times", [1, 2])
async def test_a_cancelled_host_call_waits_for_the_thread_that_writes_its_result(
    monkeypatch: pytest.MonkeyPatch, scheduler: Scheduler, times: int
) -> None:
    """The memory is wasmtime's and goes with the call: nothing may be written there afterwards."""
    gate = Gate(capi.val_clone)
    monkeypatch.setattr(capi, "val_clone", gate)
    results = Places()
    function = HostFunction.of("test:host/calls", "get", FuncType((), BYTES), answered)
    call = HostCall(function, (), ctypes.addressof(results), None)
    answering = asyncio.create_task(call.answer(HostState(GUEST), scheduler.convert))
    await asyncio.to_thread(gate.reached.wait)
    for _ in range(times):
        answering.cancel()
        await asyncio.sleep(0.01)
    early = answering.done()
    gate.open.set()
    await asyncio.wait([answering])
    capi.val_delete(ctypes.addressof(results), None)
    assert (False, True, True) == (early, gate.passed.is_set(), answering.cancelled())


async def test_a_large_result_of_another_type_is_a_failure_of_the_host_function(scheduler: Scheduler) -> None:
    """As a small one is; the thread keeps nothing to itself."""
    function = HostFunction.of("test:host/calls", "get", FuncType((), ListType(BOOL)), wrong)
    with pytest.raises(HostFunctionError, match="calls#get"):
        await HostCall(function, (), ctypes.addressof(Places()), None).answer(HostState(GUEST), scheduler.convert)


def fiber() -> Fiber:
    """One that is never polled."""
    return Fiber(0, HostState(GUEST), EpochTicker(Engine()), LoopClock(), 1)


async def test_stopping_waits_also_for_a_call_that_begins_meanwhile() -> None:
    """Whoever stops a fiber frees its Store next."""
    calls = fiber()
    with anyio.CancelScope() as first:
        calls.scope = first
        stopping = asyncio.create_task(calls.stop())
        await asyncio.wait([stopping], timeout=0.01)
    calls.leave()
    with anyio.CancelScope() as second:
        calls.scope = second  # in the same turn of the loop, before whoever stops can see that there was none
        await asyncio.wait([stopping], timeout=0.01)
    early = stopping.done()
    calls.leave()
    await asyncio.wait_for(stopping, 5)
    assert (False, True) == (early, second.cancel_called)


async def test_stopping_a_second_time_waits_again() -> None:
    """What ended the first wait says nothing of the next call."""
    calls = fiber()
    for _ in range(2):
        calls.scope = anyio.CancelScope()
        stopping = asyncio.create_task(calls.stop())
        await asyncio.wait([stopping], timeout=0.01)
        assert not stopping.done()
        calls.leave()
        await asyncio.wait_for(stopping, 5)


async def test_what_was_said_to_a_cancelled_call_does_not_hit_the_next_one() -> None:
    """One that is interrupted and cancelled at once, before it has begun, leaves the instance as good as new."""
    calls = fiber()
    calls.interrupted = True
    Instantiation(calls, None, lambda: None)  # type: ignore[arg-type]
    assert not calls.interrupted


async def test_a_poll_that_raises_leaves_nothing_to_poll_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread for the ticker, or a signal's handler: what the call was made with is gone by the next one."""
    guest = await start(execution=Execution.LOOP)

    def no_thread(_ticker: EpochTicker, _key: int) -> None:
        text = "can't start new thread"
        raise RuntimeError(text)

    with monkeypatch.context() as patch:
        patch.setattr(EpochTicker, "enter", no_thread)
        with pytest.raises(RuntimeError, match="new thread"):
            await said(guest, "echo lost")
    assert (0, True) == (guest._fiber.future, guest._fiber.spent)
