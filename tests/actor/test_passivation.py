"""How components fall asleep and wake, one step at a time."""

import asyncio

import pytest

from airssys_wasm.actor.passivation import AsleepMailbox
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import ActorState, EventKind
from airssys_wasm.testing.clock import settle
from tests.actor.bench import HOST, Bench, component
from tests.actor.sleepers import AFTER, Sleepy, asleep, calls, falling_asleep, pause, trap


async def test_one_that_nobody_needs_gives_up_its_instance(bench: Bench) -> None:
    """After its `shutdown`, once; no task, no timer and no mailbox of its own is left, the address is."""
    before = len(asyncio.all_tasks())
    child = await asleep(bench)
    assert ["start", "initialize", "shutdown", "close"] == calls(bench)
    assert before == len(asyncio.all_tasks())
    assert [] == bench.clock.pending
    assert isinstance(child.mailbox, AsleepMailbox)
    assert child is bench.supervisor.registry.get(component())
    assert [EventKind.STARTED, EventKind.PASSIVATED] == bench.observer.kinds()
    statistics = child.statistics()
    assert (1, 0, False, 0) == (statistics.passivations, statistics.revivals, statistics.ready, statistics.restarts)


async def test_a_message_revives_it(bench: Bench) -> None:
    """It starts with `initialize` again, and answers."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy)
    assert b"hello" == await bench.ask(child, b"hello")
    assert ["start", "initialize"] == calls(bench)[4:]
    assert [EventKind.PASSIVATED, EventKind.REVIVED] == bench.observer.kinds()[1:]
    statistics = child.statistics()
    assert (ActorState.RUNNING, True, 1, 0, 0) == (
        statistics.state,
        statistics.ready,
        statistics.revivals,
        statistics.restarts,
        statistics.crashes,
    )


async def test_it_sleeps_and_wakes_again_and_again(bench: Bench) -> None:
    """Each instance starts once and shuts down once."""
    child = await asleep(bench)
    for _ in range(5):
        await bench.tell(child, b"x")
        await bench.clock.advance(AFTER)
        assert "asleep" == child.state
    assert ["start", "initialize", "shutdown", "close"] * 6 == calls(bench)
    assert (6, 5, 5) == (child.passivations, child.revivals, child.handled)


async def test_messages_that_come_at_once_are_handled_in_order(bench: Bench) -> None:
    """The first wakes it, the others wait behind it."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy)
    payloads = [b"%d" % number for number in range(50)]
    for payload in payloads:
        bench.supervisor.delivery.tell_nowait(child, ComponentMessage(HOST, payload))
    await settle()
    assert payloads == sleepy.heard
    assert 1 == child.revivals


async def test_more_than_fits_waits_for_room(bench: Bench) -> None:
    """The mailbox that a message opens has the bounds of every other."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy, limits=Limits(mailbox_capacity=2))
    tells = [asyncio.create_task(bench.tell(child, b"%d" % number)) for number in range(10)]
    await asyncio.sleep(0)
    assert (2, 8) == (child.statistics().mailbox.waiting, child.statistics().mailbox.senders_waiting)
    await asyncio.gather(*tells)
    await settle()
    assert [b"%d" % number for number in range(10)] == sleepy.heard


async def test_messages_keep_it_awake(bench: Bench) -> None:
    """The time counts from the end of the last one."""
    child = await bench.start(passivate_after=AFTER)
    for _ in range(5):
        await bench.clock.advance(AFTER - 1)
        await bench.ask(child, b"x")
    await bench.clock.advance(AFTER - 0.1)
    assert "running" == child.state
    await bench.clock.advance(0.2)
    assert "asleep" == child.state


async def test_it_does_not_fall_asleep_in_a_call(bench: Bench) -> None:
    """However long that takes."""
    child = await bench.start(passivate_after=AFTER, limits=Limits(max_execution_time=3600.0))
    asking = bench.asking(child, b"wait")
    await bench.clock.advance(10 * AFTER)
    assert "running" == child.state
    bench.guest().resume(b"done")
    assert b"done" == await asking
    await bench.clock.advance(AFTER + 0.1)
    assert "asleep" == child.state


async def test_a_message_that_comes_before_the_order_is_obeyed_keeps_it_awake(bench: Bench) -> None:
    """The order is taken back; the guest hears nothing of it, and the time counts anew."""
    child = await bench.start(passivate_after=AFTER)
    bench.clock._now += AFTER  # without letting the loop react
    assert child.actor is not None
    assert child.actor._upkeep is not None
    child.actor._upkeep._ring()
    bench.supervisor.delivery.tell_nowait(child, ComponentMessage(HOST, b"just in time"))
    await settle()
    assert (["start", "initialize"], 1, ActorState.RUNNING) == (calls(bench), child.handled, child.state)
    await bench.clock.advance(AFTER)
    assert "asleep" == child.state


async def test_what_comes_during_shutdown_waits_and_revives_it(bench: Bench) -> None:
    """The shutdown is finished first; nothing is lost, and the order is kept."""
    sleepy = Sleepy()
    child = await falling_asleep(bench, sleepy)
    asking = bench.asking(child, b"first")
    await settle()
    await bench.tell(child, b"second")
    await settle()
    assert [] == sleepy.heard
    bench.guest().resume()
    assert b"first" == await asking
    await settle()
    assert [b"first", b"second"] == sleepy.heard
    assert ["close", "start", "initialize"] == calls(bench)[3:]
    assert [EventKind.PASSIVATED, EventKind.REVIVED] == bench.observer.kinds()[1:]


@pytest.mark.parametrize("payload", [b"before", b""])
async def test_a_trap_in_shutdown_changes_nothing(bench: Bench, payload: bytes) -> None:
    """It is on its way out: it sleeps, and wakes as it would have."""
    sleepy = Sleepy()
    sleepy.on_shutdown = trap
    child = await asleep(bench, sleepy)
    assert (0, 0) == (child.crashes, child.restarts)
    assert payload == await bench.ask(child, payload)


async def test_a_shutdown_that_hangs_is_ended_when_its_time_is_over(bench: Bench) -> None:
    """That is five seconds, as for a stop; then it sleeps, or is revived for what came meanwhile."""
    sleepy = Sleepy()
    child = await falling_asleep(bench, sleepy)
    await bench.clock.advance(4.9)
    assert "running" == child.state
    await bench.clock.advance(0.2)
    assert (ActorState.ASLEEP, "close") == (child.state, calls(bench)[-1])
    sleepy.on_shutdown = pause
    await bench.ask(child, b"x")
    await bench.clock.advance(AFTER)
    asking = bench.asking(child, b"y")
    await bench.clock.advance(4.9)
    assert not asking.done()
    sleepy.on_shutdown = sleepy.fine
    await bench.clock.advance(0.2)
    assert b"y" == await asking


async def test_a_brutal_one_has_no_shutdown(bench: Bench) -> None:
    """As when it is stopped."""
    await asleep(bench, shutdown="brutal")
    assert ["start", "initialize", "close"] == calls(bench)


async def test_an_infinite_one_has_the_time_of_a_call(bench: Bench) -> None:
    """`max_execution_time` ends `shutdown` too."""
    child = await falling_asleep(bench, Sleepy(), shutdown="infinite", limits=Limits(max_execution_time=100.0))
    await bench.clock.advance(99.0)
    assert "running" == child.state
    await bench.clock.advance(1.1)
    assert "asleep" == child.state
