"""What becomes of a conversion that fails or is given up: its caller hears of it, and nothing is lost."""

import asyncio
import threading
import time
import types
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, final

import pytest

from airssys_wasm.core.calls import Given, Invocation
from airssys_wasm.core.config import Execution
from airssys_wasm.core.errors import HostFunctionError
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi.pace import Paced
from airssys_wasm.runtime.conversion import Turns
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore
from airssys_wasm.runtime.wat import assemble
from tests.runtime.guests import GUEST
from tests.runtime.test_heavy import Gate
from tests.runtime.toys import MANY

RECORDS: Final = assemble("""(component
    (import "test:host/many" (instance $host
        (export "thing" (type $t (sub resource)))
        (type $fields (record (field "thing" (own $t)) (field "number" u32))) (export "pair" (type $pair (eq $fields)))
        (export "[constructor]thing" (func (param "n" u32) (result (own $t))))
        (export "take" (func (param "pair" $pair)))))
    (alias export $host "take" (func $take)) (core func $lowered-take (canon lower (func $take)))
    (alias export $host "[constructor]thing" (func $new)) (core func $lowered-new (canon lower (func $new)))
    (core module $m
        (import "" "take" (func $take (param i32 i32))) (import "" "new" (func $new (param i32) (result i32)))
        (func (export "go") (call $take (call $new (i32.const 5)) (i32.const 9))))
    (core instance $i (instantiate $m
        (with "" (instance (export "take" (func $lowered-take)) (export "new" (func $lowered-new))))))
    (alias core export $i "go" (core func $go))
    (func (export "go") (canon lift (core func $go))))""")
"""`go` makes a thing and passes it on in a record."""

LOTS: Final = 1_000


class Thing:
    """A resource; `left` counts those that were left."""

    left: ClassVar[list[int]] = []

    def __init__(self, number: int) -> None:
        self.number = number

    def __exit__(self, *_error: object) -> None:
        self.left.append(self.number)


@dataclass(frozen=True)
class Pair:
    """As `airssys-wasm types` writes it, but that it looks at what it is made of."""

    thing: object
    number: int

    def __post_init__(self) -> None:
        if not isinstance(self.thing, Thing):
            raise TypeError(f"{self.thing!r} is no thing")


class Host:
    """The interface `test:host/many`."""

    Thing = Thing

    def __init__(self) -> None:
        self.taken: Any = None

    def take(self, value: Any) -> None:
        """Note what came."""
        self.taken = value

    spend = take

    def give(self, count: int) -> list[tuple[int, int]]:
        """A list of that many."""
        return [(number, 1) for number in range(count)]


@final
class Raising(list[tuple[int, int]]):
    """Pairs that raise something when they are read, but not on the loop."""

    def __init__(self, error: type[BaseException], count: int) -> None:
        super().__init__([(0, 0)] * count)
        self.error = error

    def __getitem__(self, at: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            return super().__getitem__(at)
        raise self.error("enough")


Starts = Callable[..., Any]


@pytest.fixture
async def start(engine: WasmtimeEngine) -> AsyncIterator[Starts]:
    """Starts instances, and gives up what is left of them."""
    guests = list[GuestStore]()

    async def start(
        host: Host, data: bytes = MANY, types: Any = None, execution: Execution = Execution.AUTO
    ) -> GuestStore:
        state = HostState(GUEST, Limits(max_memories=2), execution=execution)
        compiled = await engine.compile(data, state.limits)
        bound = await engine.bind(compiled, Given({"test:host/many": host}, types))
        guests.append(await engine.start(bound, state))
        return guests[-1]

    yield start
    for guest in guests:
        await guest.aclose()


async def called(guest: GuestStore, function: str, *arguments: Any) -> Any:
    """What a function answers, within a minute."""
    async with asyncio.timeout(60):
        return await guest.call(Invocation("", function, arguments, {}))


ERRORS: Final = pytest.mark.parametrize("error", [StopIteration, asyncio.CancelledError, SystemExit, BaseException])


@ERRORS
@pytest.mark.parametrize("count", [3, LOTS])
async def test_an_argument_may_raise_anything_while_it_is_converted(
    start: Starts, error: type[BaseException], count: int
) -> None:
    """In whichever thread: the caller gets it as an error, at once and as no cancellation; the guest has not run."""
    guest = await start(Host(), execution=Execution.THREAD)
    with pytest.raises(RuntimeError, match=f"{error.__name__}: enough"):
        await called(guest, "get", Raising(error, count))
    assert 1 == await called(guest, "get", [(0, 0)])


@ERRORS
async def test_a_result_may_raise_anything_while_it_is_converted(
    start: Starts, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """It is the host function's failure then, as if that had raised it."""
    monkeypatch.setattr(Host, "give", lambda _self, count: Raising(error, count))
    guest = await start(Host())
    with pytest.raises(HostFunctionError, match=f"many#give failed: RuntimeError: {error.__name__}: enough"):
        await called(guest, "ask", LOTS)


async def test_objects_are_left_though_they_are_given_back_to_nobody(
    start: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest gives many back, and its call is cancelled while half of them have been taken."""
    monkeypatch.setattr(Thing, "left", [])
    host = Host()
    guest, gate = await start(host), Gate(monkeypatch)
    calling = asyncio.create_task(called(guest, "spend", LOTS))
    await asyncio.to_thread(gate.reached.acquire)
    handles = guest._fiber.handles
    assert handles is not None
    take, taken = handles.take, threading.Event()

    def noted(address: int, *, own: bool) -> Any:
        if len(handles) == LOTS // 2:
            taken.set()
            cancelled.wait(60)
        return take(address, own=own)

    cancelled = threading.Event()
    monkeypatch.setattr(type(handles), "take", lambda _handles, address, *, own: noted(address, own=own))
    gate.open.set()
    await asyncio.to_thread(taken.wait, 60)
    calling.cancel()
    await asyncio.sleep(0)
    cancelled.set()
    await asyncio.wait([calling], timeout=60)
    assert (True, None) == (calling.cancelled(), host.taken)
    await guest.aclose()
    assert list(range(LOTS)) == sorted(Thing.left)


async def test_a_class_is_made_of_the_handles_themselves(start: Starts) -> None:
    """Also where they are counted first, to see whether that takes long: it may look at what it gets."""
    module = types.ModuleType("written")
    module.Pair = Pair  # type: ignore[attr-defined]
    host = Host()
    await called(await start(host, RECORDS, module), "go")
    assert (5, 9) == (host.taken.thing.number, host.taken.number)


def test_turns_go_round() -> None:
    """Two at a time; whoever rests lets the longest waiting go first."""
    turns, order = Turns(1), list[int]()
    turns.take()

    def work(number: int) -> None:
        turns.take()
        for _ in range(3):
            order.append(number)
            turns.rest()
        turns.give()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for waiting, thread in enumerate(threads, 1):
        thread.start()
        while len(turns._line) < waiting:
            time.sleep(0.001)
    turns.give()
    for thread in threads:
        thread.join()
    assert [0, 1, 2] * 3 == order
    turns.take()


async def test_long_conversions_do_not_keep_others_waiting(engine: WasmtimeEngine) -> None:
    """However many there are: they take turns."""
    scheduler, over = engine._host.scheduler, threading.Event()

    def long(paced: Paced) -> None:
        while not over.is_set():
            paced.spend(1_000)

    paces = [Paced() for _ in range(10)]
    calls = [asyncio.create_task(scheduler.convert(partial(long, paced), paced)) for paced in paces]
    async with asyncio.timeout(60):
        assert 7 == await scheduler.convert(lambda: 7, Paced())
    assert [False] * 10 == [call.done() for call in calls]
    over.set()
    await asyncio.gather(*calls)
