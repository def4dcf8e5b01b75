"""Resources of loaded components are dropped through the mailbox: by the limits, supervision and order of any call."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, final

import anyio
import pytest

from airssys_wasm import (
    ActorHandle,
    ActorState,
    ActorStopped,
    ActorSystem,
    ComponentCrashed,
    ComponentId,
    DeadlineExceeded,
    EventKind,
    Limits,
    RequestTimeout,
    Trap,
)
from tests.runtime.plugins import API, KV, Kv
from tests.runtime.things import EAT, LOOP, THINGS, TICK, TRAP, composed_things, things

ID: Final = ComponentId("demo", "things", "0")
PLUGIN: Final = Path(__file__).parent.parent / "guests" / "plugin.wasm"
LANES: Final = pytest.mark.parametrize("lane", ["loop", "thread"])


@final
class Gate:
    """The import `tick`: who calls it waits until the gate is open."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.entered, self.open = asyncio.Event(), asyncio.Event()
        self.ticked = list[int]()
        if is_open:
            self.open.set()

    async def __call__(self, rep: int) -> None:
        """Wait, and note who has passed."""
        self.entered.set()
        await self.open.wait()
        self.ticked.append(rep)


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    """A system of its own."""
    async with ActorSystem() as system:
        yield system


async def load(system: ActorSystem, gate: Gate | None = None, data: bytes = b"", **options: Any) -> ActorHandle:
    """A component of things."""
    return await system.load(ID, data or things(), imports={"tick": gate or Gate()}, **options)


async def busy(plugin: ActorHandle, gate: Gate) -> "asyncio.Task[None]":
    """A call that holds the guest until the gate is open."""
    call = asyncio.get_running_loop().create_task(plugin.call(THINGS, "wait", 0, timeout=50))
    await gate.entered.wait()
    return call


@LANES
@pytest.mark.parametrize("data", [things(), composed_things()], ids=["plain", "composed"])
async def test_a_block_drops_what_it_was_given(system: ActorSystem, lane: str, data: bytes) -> None:
    """The destructor has run when the block is over; outside of blocks a handle is dropped once."""
    plugin = await load(system, data=data, execution=lane)
    api = plugin[THINGS]
    async with await plugin.call(THINGS, "Thing", 7) as thing:
        assert (7, 0) == (await thing.rep(), await api.dropped())
    assert 1 == await api.dropped()
    for _ in range(3):
        await thing.drop()
    assert (1, 0) == (await api.dropped(), plugin.statistics().crashes)
    assert {} == {reason: count for reason, count in system.statistics().dead_letters.items() if count}


async def test_a_block_that_fails_drops_it_too(system: ActorSystem) -> None:
    """And what it failed with goes on."""
    api = (await load(system))[THINGS]
    with pytest.raises(ZeroDivisionError):
        async with await api.Thing(7):
            raise ZeroDivisionError
    assert 1 == await api.dropped()


async def test_the_plugin_gets_its_room_back(system: ActorSystem) -> None:
    """Its counters are 256; of six hundred each is dropped before the next."""
    api = (await system.load(ID, PLUGIN, imports={KV: Kv()}))[API]
    for start in range(600):
        async with await api.Counter(start) as counter:
            assert start + 1 == await counter.add(1)
    assert 600 == await api.dropped()


@LANES
@pytest.mark.parametrize(("mode", "cause"), [(TRAP, Trap), (LOOP, DeadlineExceeded), (EAT, Trap)])
async def test_a_destructor_that_fails_is_a_crash(
    system: ActorSystem, lane: str, mode: int, cause: type[Exception]
) -> None:
    """The drop is told why, the component starts again, and handles to the old instance are no more to be dropped."""
    limits = Limits(max_execution_time=0.3, max_memory_bytes=8 << 20)
    plugin = await load(system, limits=limits, execution=lane)
    api = plugin[THINGS]
    thing, other = await api.Thing(1), await api.Thing(2)
    await api.set_mode(mode)
    with pytest.raises(ComponentCrashed) as caught:
        await thing.drop()
    assert isinstance(caught.value.__cause__, cause)
    await thing.drop()
    assert 0 == await api.dropped()
    await other.drop()
    async with await api.Thing(3):
        """The new instance's."""
    assert (1, 1, 1) == (await api.dropped(), plugin.statistics().crashes, plugin.statistics().restarts)


async def test_a_crash_in_the_block_is_what_is_told(system: ActorSystem) -> None:
    """What was to be dropped has gone with the instance."""
    api = (await system.load(ID, PLUGIN, imports={KV: Kv()}))[API]
    with pytest.raises(ComponentCrashed):
        async with await api.Counter(1):
            await api.crash()
    assert 0 == await api.dropped()


async def test_drops_keep_their_place_in_the_order(system: ActorSystem) -> None:
    """What was called before still finds the handle, what is called after it does not."""
    api = (await load(system))[THINGS]
    thing = await api.Thing(7)
    calls = (thing.rep(), thing.drop(), thing.drop(), thing.rep(), api.dropped())
    answers: Any = await asyncio.gather(*calls, return_exceptions=True)
    assert ["7", "None", "None", f"params.self: {THINGS}#thing was dropped", "1"] == list(map(str, answers))


async def test_a_drop_is_counted_as_a_call(system: ActorSystem) -> None:
    """In the actor's statistics."""
    plugin = await load(system)
    async with await plugin[THINGS].Thing(7):
        """Made, and dropped."""
    assert (2, 0, 0) == (plugin.statistics().handled, plugin.statistics().guest_errors, plugin.statistics().crashes)


@pytest.mark.parametrize("way", ["restart", "unload", "sleep"])
async def test_a_handle_to_an_instance_that_has_gone_is_dropped_in_silence(system: ActorSystem, way: str) -> None:
    """Nobody is woken for it, and it is no dead letter."""
    plugin = await load(system, passivate_after=0.05 if way == "sleep" else None)
    thing = await plugin[THINGS].Thing(7)
    if way == "restart":
        await plugin.restart()
    elif way == "unload":
        await system.unload(plugin)
    else:
        async for event in system.monitor(ID):
            if event.kind is EventKind.PASSIVATED:
                break
    await thing.drop()
    assert not thing.usable
    assert (way == "sleep") is (plugin.state is ActorState.ASLEEP)
    assert {} == {reason: count for reason, count in system.statistics().dead_letters.items() if count}


@pytest.mark.parametrize("way", ["restart", "unload"])
async def test_a_drop_that_waits_ends_with_the_instance(system: ActorSystem, way: str) -> None:
    """In silence: what was to be dropped has gone."""
    gate = Gate(is_open=False)
    plugin = await load(system, gate, shutdown="brutal")
    thing = await plugin[THINGS].Thing(7)
    call = await busy(plugin, gate)
    drop = asyncio.get_running_loop().create_task(thing.drop())
    await asyncio.sleep(0)
    await (plugin.restart() if way == "restart" else system.unload(plugin))
    with pytest.raises(ActorStopped):
        await call
    await drop
    assert not thing.usable


async def test_an_upgrade_within_a_block_is_not_its_trouble(system: ActorSystem) -> None:
    """The handle is to the old instance, which takes the resource along; the new one has drops of its own."""
    plugin = await load(system)
    api = plugin[THINGS]
    async with await api.Thing(7) as thing:
        await system.upgrade(plugin, composed_things())
    assert "was dropped" in repr(thing)
    async with await api.Thing(8):
        """The new instance's."""
    assert 1 == await api.dropped()


async def test_an_upgrade_to_what_has_no_such_resource_is_neither(system: ActorSystem) -> None:
    """There is no function to drop it by any more."""
    plugin = await load(system)
    async with await plugin[THINGS].Thing(7):
        await system.upgrade(plugin, PLUGIN.with_name("echo.wasm"))
    assert b"hello" == await plugin.ask(b"hello")


async def test_a_block_that_is_cancelled_drops_all_the_same(system: ActorSystem) -> None:
    """Though it can wait for nothing any more: the drop is in the mailbox, and stays there."""
    gate = Gate(is_open=False)
    plugin = await load(system, gate)
    thing = await plugin[THINGS].Thing(7)
    call = await busy(plugin, gate)
    with anyio.CancelScope() as scope:
        async with thing:
            scope.cancel()
    assert (True, True) == (scope.cancelled_caught, thing.usable)
    gate.open.set()
    await call
    assert (1, False) == (await plugin[THINGS].dropped(), thing.usable)


async def test_a_drop_whose_time_is_over_is_done_when_its_turn_comes(system: ActorSystem) -> None:
    """The time is that of the call that the handle is from, whoever has called what since."""
    gate = Gate(is_open=False)
    plugin = await load(system, gate)
    thing = await plugin.interface(THINGS, timeout=0.05).Thing(7)
    call = await busy(plugin, gate)
    with pytest.raises(RequestTimeout) as caught:
        await thing.drop()
    assert ("running", 0.05) == (caught.value.outcome, caught.value.timeout)
    gate.open.set()
    await call
    assert 1 == await plugin[THINGS].dropped()


async def test_a_destructor_that_is_interrupted_costs_the_instance(system: ActorSystem) -> None:
    """Where its caller's settings say so."""
    gate = Gate(is_open=False)
    plugin = await load(system, gate)
    api = plugin.interface(THINGS, timeout=0.2, interrupt=True)
    await api.set_mode(TICK)
    thing = await api.Thing(7)
    with pytest.raises(RequestTimeout) as caught:
        await thing.drop()
    assert ("interrupted", []) == (caught.value.outcome, gate.ticked)
    assert (0, 0) == (await api.dropped(), plugin.statistics().crashes)


async def test_a_cancelled_drop_whose_destructor_runs_goes_on(system: ActorSystem) -> None:
    """To its own end, and is not run again."""
    gate = Gate(is_open=False)
    plugin = await load(system, gate)
    api = plugin[THINGS]
    await api.set_mode(TICK)
    thing = await api.Thing(7)
    drop = asyncio.get_running_loop().create_task(thing.drop())
    await gate.entered.wait()
    drop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drop
    await thing.drop()
    gate.open.set()
    assert 1 == await api.dropped()
    assert [7] == gate.ticked


@pytest.mark.parametrize("how", ["cancelled", "late"])
async def test_a_drop_that_waits_for_room_has_it_when_it_is_given_up(system: ActorSystem, how: str) -> None:
    """Nothing is left over because a mailbox was full."""
    gate = Gate(is_open=False)
    plugin = await load(system, gate, limits=Limits(mailbox_capacity=1))
    thing = await plugin.interface(THINGS, timeout=0.05 if how == "late" else 50).Thing(7)
    call = await busy(plugin, gate)
    waits = asyncio.get_running_loop().create_task(plugin[THINGS].wait(1))
    await asyncio.sleep(0)
    if how == "late":
        with pytest.raises(RequestTimeout, match="running"):
            await thing.drop()
    else:
        with anyio.CancelScope() as scope:
            async with thing:
                scope.cancel()
    assert (thing.usable, 1) == (True, plugin.statistics().mailbox.waiting)
    gate.open.set()
    await asyncio.gather(call, waits)
    assert (1, [0, 1]) == (await plugin[THINGS].dropped(), gate.ticked)
    assert {} == {reason: count for reason, count in system.statistics().dead_letters.items() if count}


@pytest.mark.parametrize("policy", ["reject", "drop-newest", "drop-oldest"])
async def test_no_policy_refuses_a_drop(system: ActorSystem, policy: str) -> None:
    """It makes room where it matters, and waits for its turn."""
    gate = Gate(is_open=False)
    plugin = await load(system, gate, limits=Limits(mailbox_capacity=1), mailbox=policy)
    thing = await plugin[THINGS].Thing(7)
    call = await busy(plugin, gate)
    waits = asyncio.get_running_loop().create_task(plugin[THINGS].wait(1))
    await asyncio.sleep(0)
    drop = asyncio.get_running_loop().create_task(thing.drop())
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(call, waits, drop)
    assert 1 == await plugin[THINGS].dropped()
