"""Links as an application uses them: between components, and of a block of its own to one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from airssys_wasm import (
    ActorHandle,
    ActorState,
    ActorStopped,
    ActorSystem,
    ComponentCrashed,
    ComponentId,
    ComponentMessage,
    EventKind,
    ExitKind,
    LinkBroken,
    TargetNotFound,
    Trap,
)
from airssys_wasm.testing.clock import ManualClock, settle
from airssys_wasm.testing.guests import OBEDIENT, ScriptedHost

HOSTILE = Path(__file__).parents[1] / "guests" / "hostile.wasm"
A, B = ComponentId("demo", "a", "0"), ComponentId("demo", "b", "0")
HOST = ComponentId("host", "app", "worker")


@pytest.fixture
def clock() -> ManualClock:
    """Stands still."""
    return ManualClock()


@pytest.fixture
async def system(clock: ManualClock) -> AsyncIterator[ActorSystem]:
    """On scripted guests."""
    async with ActorSystem(host=ScriptedHost(clock=clock), clock=clock) as system:
        yield system


async def crash(handle: ActorHandle) -> None:
    """Have a component trap, and all follow that follows at once."""
    await handle.tell(b"trap")
    await settle()


async def waiting_in(system: ActorSystem, id: ComponentId = A) -> str:  # noqa: A002 - the stable name
    """A block that does nothing but wait; how it ended."""
    try:
        async with system.linked(id):
            await asyncio.Event().wait()
    except LinkBroken as broken:
        return f"{broken.reason.kind} {type(broken.__cause__).__name__}"
    return "never"


async def test_components_of_wasm_end_together_and_come_back() -> None:
    """One traps, the other one is in an endless loop, which ends; both answer again, as new instances."""
    async with ActorSystem() as system:
        one, other = [await system.load(id, HOSTILE) for id in (A, B)]  # noqa: A001
        events = system.monitor(B)
        system.link(A, B)
        looping = asyncio.create_task(other.ask(b"loop", timeout=None))
        with pytest.raises(ComponentCrashed):
            await one.ask(b"trap")
        with pytest.raises(ActorStopped, match="linked: to demo/a/0, which has ended: crashed"):
            await looping
        assert [b"1", b"1"] == [await each.ask(b"count", timeout=30) for each in (one, other)]
        linked, restarting, started = [await anext(events) for _ in range(3)]
        assert [EventKind.LINKED, EventKind.RESTARTING, EventKind.STARTED] == [
            event.kind for event in (linked, restarting, started)
        ]
        assert "!" in str(linked.backtrace)
        system.unlink(A, B)
        with pytest.raises(ComponentCrashed):
            await one.ask(b"trap")
        assert b"2" == await other.ask(b"count")


async def test_host_code_that_is_served_can_be_linked(system: ActorSystem) -> None:
    """Its handler is cancelled where it waits, and serves the next message."""
    cancelled, begun = [], asyncio.Event()

    async def handler(message: ComponentMessage) -> bytes:
        if message.payload.data == b"wait":
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(message.payload.data)
                raise
        return b"served"

    component, served = await system.load(A, OBEDIENT), await system.serve(HOST, handler)
    system.link(HOST, A)
    waiting = asyncio.create_task(served.ask(b"wait", timeout=None))
    await begun.wait()
    await crash(component)
    with pytest.raises(ActorStopped):
        await waiting
    assert [b"wait"] == cancelled
    await served.restart()
    assert b"served" == await served.ask(b"x", timeout=None)


async def test_a_block_is_cancelled_when_its_component_crashes(system: ActorSystem) -> None:
    """Though it will be restarted: the instance is lost. Every block of it, no other one."""
    component, _ = await system.load(A, OBEDIENT), await system.load(B, OBEDIENT)
    blocks = [asyncio.create_task(waiting_in(system, each)) for each in (A, A, B)]
    await settle()
    await crash(component)
    assert ["crashed Trap"] * 2 == [await block for block in blocks[:2]]
    assert not blocks[2].done()
    system.link(A, B)
    await component.restart()
    assert not blocks[2].done()
    await crash(component)
    assert "linked Trap" == await blocks[2]


@pytest.mark.parametrize("way", ["unload", "the system is left", "it fails"])
async def test_a_block_is_cancelled_when_its_component_is_gone(clock: ManualClock, way: str) -> None:
    """For a block there is nothing left to stand on."""
    async with ActorSystem(host=ScriptedHost(clock=clock), clock=clock) as system:
        component = await system.load(A, OBEDIENT)
        for _ in range(3 * (way == "it fails")):
            await crash(component)
            await clock.advance(1)
        block = asyncio.create_task(waiting_in(system))
        await settle()
        if way == "unload":
            await system.unload(component)
        elif way == "it fails":
            await crash(component)
            assert ActorState.FAILED is component.state
    assert ("crashed Trap" if way == "it fails" else "stopped NoneType") == await block


async def test_a_block_outlives_restarts_on_request(system: ActorSystem) -> None:
    """They are no bad end; leaving it takes the link back."""
    component = await system.load(A, OBEDIENT)
    async with system.linked(A) as handle:
        assert handle == component
        await component.restart()
        await settle()
        assert b"1" == await handle.ask(b"count", timeout=None)
    assert {} == system._parts().supervisor.links._blocks
    await crash(component)


async def test_how_a_block_ends_is_nothing_to_its_component(system: ActorSystem) -> None:
    """An exception of the block comes out as it is; so does a cancellation from outside."""
    component = await system.load(A, OBEDIENT)
    with pytest.raises(LookupError):
        async with system.linked(A):
            raise LookupError
    block = asyncio.create_task(waiting_in(system))
    await settle()
    block.cancel()
    with pytest.raises(asyncio.CancelledError):
        await block
    with anyio.move_on_after(0) as scope:
        await waiting_in(system)
    assert scope.cancelled_caught
    assert (ActorState.RUNNING, {}) == (component.state, system._parts().supervisor.links._blocks)


async def test_what_an_ask_raises_in_a_block_comes_first(system: ActorSystem) -> None:
    """It says more; a block that goes on after it is cancelled at its next wait."""
    component = await system.load(A, OBEDIENT)
    with pytest.raises(ComponentCrashed):
        async with system.linked(A):
            await component.ask(b"trap", timeout=None)
    await component.restart()

    async def go_on() -> None:
        async with system.linked(A):
            with pytest.raises(ComponentCrashed):
                await component.ask(b"trap", timeout=None)
            await asyncio.Event().wait()

    with pytest.raises(LinkBroken) as caught:
        await go_on()
    assert (A, ExitKind.CRASHED) == (caught.value.component, caught.value.reason.kind)
    assert isinstance(caught.value.__cause__, Trap)


async def test_a_block_inside_a_block_and_inside_task_groups(system: ActorSystem) -> None:
    """The link that broke is the one that is reported; what is outside of it goes on."""
    a, b = [await system.load(each, OBEDIENT) for each in (A, B)]

    async def inner(outer: asyncio.TaskGroup) -> None:
        async with system.linked(A), asyncio.TaskGroup() as inside:
            inside.create_task(asyncio.Event().wait())
            outer.create_task(crash(a))

    async with system.linked(B), asyncio.TaskGroup() as group:
        with pytest.raises(LinkBroken) as caught:
            await inner(group)
        assert A == caught.value.component
        assert b"1" == await b.ask(b"count", timeout=None)


async def test_nobody_is_linked_to_what_is_not_there(system: ActorSystem, clock: ManualClock) -> None:
    """An id that is not loaded; a component that has failed."""
    with pytest.raises(TargetNotFound):
        system.link(A, B)
    with pytest.raises(TargetNotFound):
        async with system.linked(A):
            pytest.fail("never gets here")
    component = await system.load(A, OBEDIENT)
    for _ in range(4):
        await crash(component)
        await clock.advance(1)
    with pytest.raises(ActorStopped, match="failed"):
        async with system.linked(A):
            pytest.fail("never gets here")
    await component.restart()
    async with system.linked(A):
        pass


async def test_the_cancellation_of_the_whole_system_breaks_every_link() -> None:
    """As at the end of `asyncio.run`: no block waits for ever."""
    system = await ActorSystem(host=ScriptedHost()).__aenter__()
    await system.load(A, OBEDIENT)
    block = asyncio.create_task(waiting_in(system))
    await settle()
    root, _ = system._running()
    root.group.cancel_scope.cancel()
    assert "stopped NoneType" == await block
    await system.__aexit__(None, None, None)
