"""Values that take long to convert: in a thread for it, on every way into a guest and out of it."""

import asyncio
import ctypes
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from airssys_wasm.core.calls import Given, Invocation, Ok, Some
from airssys_wasm.core.config import Execution
from airssys_wasm.core.errors import DeadlineExceeded, HostFunctionError, PayloadTooLarge
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.pace import BYTE_STEP, MOST_STEPS, TEXT_STEP, Heavy, Lifting, Paced
from airssys_wasm.runtime.abi.types import (
    BOOL,
    BYTES,
    STRING,
    FlagsType,
    ListType,
    OptionType,
    ResultType,
    record,
    variant,
)
from airssys_wasm.runtime.abi.values import Keep
from airssys_wasm.runtime.conversion import Conversion
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore
from tests.runtime.guests import GUEST
from tests.runtime.toys import MANY

LANES = pytest.mark.parametrize("execution", [Execution.AUTO, Execution.LOOP, Execution.THREAD])
FEW, MOST, LOTS = 10, MOST_STEPS // 3, 5_000
"""Pairs: their conversion fits a step, just so, and not at all."""


class Host:
    """The interface `test:host/many`."""

    class Thing:
        """A resource; counts those that were left."""

        left: ClassVar[list[int]] = []

        def __init__(self, number: int) -> None:
            self.number = number

        def __exit__(self, *_error: object) -> None:
            self.left.append(self.number)

    def __init__(self) -> None:
        self.taken: Any = None

    def take(self, pairs: Any) -> None:
        """Note what came."""
        self.taken = pairs

    def spend(self, things: Any) -> None:
        """Note what came."""
        self.taken = things

    def give(self, count: int) -> list[tuple[int, int]]:
        """A list of that many."""
        return [(number, 1) for number in range(count)]


class Watch:
    """Which conversions had a thread, and how many steps others took."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.in_threads, self.steps_on_loop = 0, 0
        step, spend = Conversion.step, Paced.spend

        def converted(conversion: Conversion) -> bool:
            assert threading.current_thread().name.startswith("airssys-convert")
            self.in_threads += 1
            return step(conversion)

        def spent(paced: Paced, steps: int) -> None:
            spend(paced, steps)
            if not paced.in_thread:
                self.steps_on_loop += steps

        patch.setattr(Conversion, "step", converted)
        patch.setattr(Paced, "spend", spent)


@pytest.fixture
async def start(engine: WasmtimeEngine) -> AsyncIterator[Any]:
    """Starts instances of MANY, and gives up what is left of them."""
    guests = list[GuestStore]()

    async def start(host: Host, execution: Execution = Execution.AUTO, **limits: Any) -> GuestStore:
        state = HostState(GUEST, Limits(max_memories=2, **limits), execution=execution)
        compiled = await engine.compile(MANY, state.limits)
        bound = await engine.bind(compiled, Given({"test:host/many": host}))
        guests.append(await engine.start(bound, state))
        bound.conduct.probation = 0
        return guests[-1]

    yield start
    for guest in guests:
        await guest.aclose()


async def called(guest: GuestStore, function: str, *arguments: Any) -> Any:
    """What a function answers."""
    return await guest.call(Invocation("", function, arguments, {}))


@LANES
@pytest.mark.parametrize(("count", "threads"), [(FEW, 0), (MOST, 0), (LOTS, 1)])
async def test_lists_of_any_length_cross_in_every_direction(
    start: Any, monkeypatch: pytest.MonkeyPatch, execution: Execution, count: int, threads: int
) -> None:
    """The same values; a long one is converted in a thread, once, and a short one where the call is."""
    host = Host()
    guest, watch = await start(host, execution), Watch(monkeypatch)
    zeros, counted = [(0, 0)] * count, list[int]()
    await called(guest, "send", count)
    assert zeros == host.taken
    counted.append(watch.in_threads)
    assert zeros == await called(guest, "make", count)
    counted.append(watch.in_threads)
    assert count == await called(guest, "get", [(number, 5) for number in range(count)])
    counted.append(watch.in_threads)
    assert count == await called(guest, "ask", count)
    counted.append(watch.in_threads)
    assert [threads * times for times in (1, 2, 3, 4)] == counted
    assert watch.steps_on_loop <= 4 * (MOST_STEPS + 10)


@pytest.mark.parametrize(("count", "threads"), [(100, 0), (1_000, 1)])
async def test_handles_in_a_long_list_are_taken_once(
    start: Any, monkeypatch: pytest.MonkeyPatch, count: int, threads: int
) -> None:
    """A conversion that is begun anew must not miss what it has taken before."""
    host = Host()
    guest, watch = await start(host), Watch(monkeypatch)
    await called(guest, "spend", count)
    assert list(range(count)) == [thing.number for thing in host.taken]
    assert (threads, 0) == (watch.in_threads, len(guest._fiber.handles))


async def test_a_long_answer_that_is_too_large_is_not_read_to_its_end(start: Any) -> None:
    """Nor does the limit count only what comes as one piece."""
    guest = await start(Host(), max_payload_bytes=10_000)
    assert 3_000 == len(await called(guest, "make", 3_000))
    for count in (4_000, 200_000):
        with pytest.raises(PayloadTooLarge, match="answer of") as caught:
            await called(guest, "make", count)
        assert caught.value.payload_bytes > 10_000


class Gate:
    """Holds conversions up until it is opened."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.reached, self.open = threading.Semaphore(0), threading.Event()
        step = Conversion.step

        def gated(conversion: Conversion) -> bool:
            self.reached.release()
            assert self.open.wait(30)
            return step(conversion)

        patch.setattr(Conversion, "step", gated)


@pytest.mark.parametrize("function", ["send", "make", "ask"])
async def test_a_call_that_is_cancelled_meanwhile_waits_for_the_thread_to_leave(
    start: Any, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """Which does so at its next pause; what it reads is wasmtime's and goes with the call."""
    guest, gate = await start(Host()), Gate(monkeypatch)
    calling = asyncio.create_task(called(guest, function, LOTS))
    await asyncio.to_thread(gate.reached.acquire)
    calling.cancel()
    await asyncio.sleep(0.01)
    early = calling.done()
    gate.open.set()
    await asyncio.wait([calling], timeout=30)
    assert (False, True) == (early, calling.cancelled())


async def test_a_deadline_ends_a_conversion(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread is free for others again."""
    host = Host()
    guest, gate = await start(host, max_execution_time=0.05), Gate(monkeypatch)
    calling = asyncio.create_task(called(guest, "send", LOTS))
    await asyncio.to_thread(gate.reached.acquire)
    await asyncio.sleep(0.1)
    gate.open.set()
    with pytest.raises(DeadlineExceeded):
        await calling
    assert host.taken is None


async def test_arguments_that_nobody_lifts_are_freed(
    engine: WasmtimeEngine, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were taken out of wasmtime's hands, and the call was given up before a thread came to them."""
    freed, delete = list[int](), capi.val_delete
    monkeypatch.setattr(engine._host.scheduler._converters, "_size", 2)

    def noted(address: int) -> None:
        freed.append(ctypes.c_uint8.from_address(address).value)
        delete(address)

    monkeypatch.setattr(capi, "val_delete", noted)
    first, second, third = [await start(Host()) for _ in range(3)]
    gate = Gate(monkeypatch)
    calls = [asyncio.create_task(called(guest, "send", LOTS)) for guest in (first, second)]
    for _ in calls:
        await asyncio.to_thread(gate.reached.acquire)
    waiting = asyncio.create_task(called(third, "send", LOTS))
    while third._fiber.host_call is None:  # noqa: ASYNC110 - it says so to nobody
        await asyncio.sleep(0.001)
    waiting.cancel()
    await asyncio.wait([waiting], timeout=30)
    del waiting  # the error that it ended with leads there
    gate.open.set()
    await asyncio.gather(*calls)
    for thread in engine._host.scheduler._converters.close():
        await asyncio.to_thread(thread.join)
    gc.collect()
    assert 3 == freed.count(13)


async def test_what_cannot_be_lifted_is_the_host_functions_failure(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever thread finds out."""
    guest = await start(Host())

    def fail(_conversion: Conversion) -> bool:
        raise MemoryError

    monkeypatch.setattr(Conversion, "step", fail)
    with pytest.raises(HostFunctionError, match="many#take"):
        await called(guest, "send", LOTS)


def test_a_conversion_is_bound_on_the_loop_and_pauses_in_a_thread() -> None:
    """By steps, not by time: how much that is does not depend on the machine."""
    lifting = Lifting().bound()
    lifting.spend(MOST_STEPS)
    with pytest.raises(Heavy):
        lifting.spend(1)
    lifting.unbound()
    assert 10_000 == sum(len(part) for part in lifting.parts(10_000))
    assert lifting.left >= 0


DEAR = {
    "flags": (ListType(FlagsType(("a", "b", "c"))), [frozenset({"a", "b"})]),
    "options": (ListType(OptionType(OptionType(BOOL))), [Some(True)]),
    "records": (ListType(record(x=BOOL, y=BOOL, z=BOOL)), [(True, False, True)]),
    "variants": (ListType(variant(a=BOOL, b=None)), [("a", True)]),
    "results": (ListType(ResultType(BOOL, None)), [Ok(True)]),
    "lists": (ListType(ListType(BOOL)), [[True]]),
    "texts": (ListType(STRING), ["x" * TEXT_STEP]),
    "bytes": (ListType(BYTES), [b"x" * BYTE_STEP]),
}


@pytest.mark.parametrize(("of", "value"), DEAR.values(), ids=DEAR)
def test_whatever_takes_time_counts(of: ListType, value: Any) -> None:
    """More than one step an item: both ways as many, and no shape gets round the bound."""
    codec, keep = codec_for(of), Keep()
    keep.left = lots = 1 << 40
    image = codec.lower(value * 100, keep)
    lifting = Lifting()
    lifting.left = lots
    assert value * 100 == codec.lift(image, lifting)
    lowered, lifted = (lots - paced.left for paced in (keep, lifting))
    assert 200 <= lowered == lifted
    with pytest.raises(Heavy):
        codec.lower(value * 300, Keep().bound())
    image = codec.lower(value * 300, keep)
    with pytest.raises(Heavy):
        codec.lift(image, Lifting().bound())
