"""Stops that drain, of what falls asleep or is being revived."""

import asyncio

import pytest

from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import ActorState, DeadLetterReason, EventKind
from airssys_wasm.testing.clock import settle
from tests.actor.bench import HOST, Bench
from tests.actor.sleepers import Sleepy, asleep, calls, falling_asleep, pause


async def test_draining_one_that_falls_asleep_handles_what_came_meanwhile(bench: Bench) -> None:
    """Another instance does, which is shut down in its turn."""
    sleepy = Sleepy()
    child = await falling_asleep(bench, sleepy)
    asking = [bench.asking(child, word) for word in (b"x", b"y")]
    stopping = asyncio.create_task(bench.supervisor.stop_child(child, drain=True))
    await settle()
    sleepy.on_shutdown = sleepy.fine
    bench.guest().resume()
    await stopping
    assert ([b"x", b"y"], []) == (await asyncio.gather(*asking), bench.letters())
    assert [["shutdown", "close"], ["shutdown", "close"]] == [calls(bench)[2:4], calls(bench)[-2:]]
    assert ([EventKind.STARTED, EventKind.STOPPED], 2) == (bench.observer.kinds(), len(bench.host.guests))


async def test_draining_one_that_falls_asleep_has_one_grace_period(bench: Bench) -> None:
    """What a slow `shutdown` took of it the second instance has no more."""
    sleepy = Sleepy()
    child = await falling_asleep(bench, sleepy)
    asking = bench.asking(child, b"x")
    sleepy.on_initialize = pause
    stopping = asyncio.create_task(bench.supervisor.stop_child(child, drain=True))
    await bench.clock.advance(3.0)
    bench.guest().resume()
    await bench.host.until_paused(1)
    await bench.clock.advance(1.9)
    assert not stopping.done()
    await bench.clock.advance(0.2)
    await stopping
    with pytest.raises(ActorStopped):
        await asking
    assert [(b"x", DeadLetterReason.ACTOR_STOPPED)] == bench.letters()


@pytest.mark.parametrize("ready", [True, False])
async def test_draining_one_that_was_just_woken_handles_what_woke_it(bench: Bench, ready: bool) -> None:
    """Unless it does not start within its grace period."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy)
    sleepy.on_initialize = pause
    asking = bench.asking(child, b"x")
    await settle()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child, drain=True))
    await settle()
    if ready:
        bench.guest().resume()
        await stopping
        assert (b"x", []) == (await asking, bench.letters())
    else:
        await bench.clock.advance(5.1)
        await stopping
        with pytest.raises(ActorStopped):
            await asking
    assert ActorState.STOPPED is child.state


async def test_draining_one_that_was_told_something_as_it_slept_handles_that(bench: Bench) -> None:
    """Both come in one turn of the loop."""
    child = await asleep(bench)
    bench.supervisor.delivery.tell_nowait(child, ComponentMessage(HOST, b"x"))
    await bench.supervisor.stop_child(child, drain=True)
    assert (1, []) == (child.handled, bench.letters())
