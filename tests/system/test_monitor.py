"""What a reader hears of one component."""

import asyncio
from pathlib import Path

import pytest

from airssys_wasm import ActorSystem, ComponentCrashed, ComponentId, EventKind, ExitKind
from airssys_wasm.testing.clock import ManualClock
from airssys_wasm.testing.guests import OBEDIENT, ScriptedHost

HOSTILE = Path(__file__).parents[1] / "guests" / "hostile.wasm"
ONE, OTHER = ComponentId("demo", "one", "0"), ComponentId("demo", "other", "0")


async def test_a_monitor_tells_the_life_of_one_component_and_ends_with_it(
    scripted_system: ActorSystem, manual_clock: ManualClock
) -> None:
    """Attempt, delay and reason included; nothing of other components."""
    monitor = scripted_system.monitor(ONE)
    one, other = await scripted_system.load(ONE, OBEDIENT), await scripted_system.load(OTHER, OBEDIENT)
    for component in (other, one):
        with pytest.raises(ComponentCrashed):
            await component.ask(b"trap", timeout=None)
    await manual_clock.advance(1)
    await one.restart()
    await scripted_system.unload(one)
    seen = [event async for event in monitor]
    assert ["started", "crashed", "restarting", "started"] == [event.kind for event in seen[:4]]
    assert ["interrupted", "restarting", "started", "stopped"] == [event.kind for event in seen[4:]]
    assert {ONE} == {event.component for event in seen}
    assert (1, 0.1) == (seen[2].attempt, seen[2].delay)
    assert [ExitKind.CRASHED, ExitKind.INTERRUPTED, ExitKind.STOPPED] == [
        event.reason.kind for event in (seen[1], seen[4], seen[7]) if event.reason is not None
    ]


async def test_a_crash_comes_with_the_guests_backtrace() -> None:
    """Of real WebAssembly; the end that follows tells it again."""
    async with ActorSystem() as system:
        monitor, one = system.monitor(ONE), await system.load(ONE, HOSTILE, restart="temporary")
        with pytest.raises(ComponentCrashed):
            await one.ask(b"trap")
        started, crashed, stopped = [event async for event in monitor]
    assert "!" in str(crashed.backtrace), crashed.backtrace
    assert (None, crashed.backtrace) == (started.backtrace, stopped.backtrace)


async def test_a_failure_comes_after_every_attempt_with_its_delay(
    scripted_system: ActorSystem, manual_clock: ManualClock
) -> None:
    """The delay doubles; failing is not the end of the story, an unload is."""
    monitor, one = scripted_system.monitor(ONE), await scripted_system.load(ONE, OBEDIENT)
    for _ in range(4):
        await one.tell(b"trap")
        await manual_clock.advance(1)
    await one.restart()
    await scripted_system.unload(one)
    seen = [event async for event in monitor]
    assert [(1, 0.1), (2, 0.2), (3, 0.4)] == [
        (event.attempt, event.delay) for event in seen if event.kind is EventKind.RESTARTING
    ]
    life = ["started", "crashed", "restarting"] * 3 + ["started", "crashed", "failed", "started", "stopped"]
    assert life == [event.kind for event in seen]
    assert "failed: " in str(seen[-3].reason)


async def test_a_monitor_ends_with_the_system() -> None:
    """Also when its component never came, or the system has ended already."""
    async with ActorSystem(host=ScriptedHost()) as system:
        waiting = asyncio.create_task(anext(system.monitor(ONE), None))
        await asyncio.sleep(0)
    assert None is await waiting
    assert [] == [event async for event in system.monitor(ONE)]


async def test_a_monitor_is_bounded_and_counts_what_it_lost() -> None:
    """Nobody waits for a reader; others of the same component lose nothing by it."""
    async with ActorSystem(host=ScriptedHost()) as system:
        slow, one = system.monitor(ONE), await system.load(ONE, OBEDIENT)
        for _ in range(400):
            await one.restart()
        assert 3 * 400 + 1 - 1024 == slow.dropped
        assert EventKind.INTERRUPTED in {event.kind for event in (slow.get_nowait(), slow.get_nowait()) if event}


async def test_a_component_that_comes_again_is_another() -> None:
    """The reader of the first one hears nothing of the second."""
    async with ActorSystem(host=ScriptedHost()) as system:
        for _ in range(2):
            monitor = system.monitor(ONE)
            await system.unload(await system.load(ONE, OBEDIENT))
            await system.unload(await system.load(ONE, OBEDIENT))
            assert ["started", "stopped"] == [event.kind async for event in monitor]


async def test_a_monitor_that_nobody_holds_is_forgotten() -> None:
    """So that watching many components one after the other leaves nothing."""
    async with ActorSystem(host=ScriptedHost()) as system:
        for number in range(10):
            system.monitor(ComponentId("demo", "many", str(number)))
        assert 0 == len(system._observatory._monitors)
