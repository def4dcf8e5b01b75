"""Stopping: one child with its queue, all in order, within bounds, and killed when it has to be."""

import asyncio
from contextlib import suppress

import pytest

from airssys_wasm.actor.supervisor import Supervisor
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import ActorState
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import OBEDIENT, Script, ScriptedGuest, ScriptedHost
from airssys_wasm.testing.observer import RecordingObserver
from tests.actor.bench import HOST, Bench, component, opened


async def test_stop_during_back_off_ends_it(bench: Bench) -> None:
    """What waited in the mailbox hears of it, and no timer is left."""
    child = await bench.start()
    await bench.crash(child)
    waiting = bench.asking(child, b"waits")
    await settle()
    await bench.supervisor.stop_child(child)
    with pytest.raises(ActorStopped):
        await waiting
    assert [] == bench.clock.pending


async def test_drain_runs_the_queue_first(bench: Bench) -> None:
    """What came before the stop is handled, what comes after is refused."""
    child = await bench.start()
    first, second = bench.asking(child, b"sleep 1"), bench.asking(child, b"second")
    await bench.host.until_paused()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child, drain=True))
    await settle()
    with pytest.raises(ActorStopped):
        await bench.ask(child, b"third")
    await bench.clock.advance(1)
    assert (b"sleep 1", b"second") == (await first, await second)
    await stopping


async def test_a_brutal_stop_of_an_idle_component_does_not_call_shutdown(bench: Bench) -> None:
    """The guest is closed, and hears nothing of it before."""
    child = await bench.start(shutdown="brutal")
    await settle()
    await bench.supervisor.stop_child(child)
    assert ([], [component()]) == (bench.host.calls("shutdown"), bench.host.calls("close"))


async def test_restarting_again_and_again_does_not_prolong_the_grace_period(bench: Bench) -> None:
    """A guest that hangs in `shutdown` is killed when the first restart's time is over."""

    async def on_shutdown(guest: ScriptedGuest) -> bytes | None:
        return await guest.pause()

    child = await bench.start(script=Script(on_shutdown=on_shutdown))
    restarting = []
    for _ in range(4):
        restarting.append(asyncio.create_task(bench.supervisor.restart(child)))
        await bench.clock.advance(1.3)
    await asyncio.gather(*restarting)
    assert (1, ActorState.RUNNING) == (child.restarts, child.state)
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    await bench.clock.advance(5.1)
    await stopping


async def test_drain_is_bounded_by_the_grace_period(bench: Bench) -> None:
    """What is not handled by then ends as stopped."""
    child = await bench.start()
    asking = [bench.asking(child, b"sleep 2") for _ in range(5)]
    await bench.host.until_paused()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child, drain=True))
    await bench.clock.advance(5.1)
    await stopping
    done = await asyncio.gather(*asking, return_exceptions=True)
    assert [bytes, bytes, ActorStopped, ActorStopped, ActorStopped] == [type(each) for each in done]


async def test_children_stop_in_reverse_start_order() -> None:
    """One after the other: the last one is gone before the first one hears of it."""

    async def on_shutdown(guest: ScriptedGuest) -> bytes | None:
        return await guest.pause(0.1)

    async with opened() as bench:
        for name in "abc":
            await bench.start(name, Script(on_shutdown=on_shutdown))
        closing = asyncio.create_task(bench.supervisor.aclose())
        await bench.clock.advance(1)
        await closing
    ends = [entry for entry in bench.host.log if entry[0] in {"shutdown", "close"}]
    assert [(what, component(name)) for name in "cba" for what in ("shutdown", "close")] == ends


async def test_a_few_that_hang_do_not_use_up_the_time_of_all() -> None:
    """After a while the others are told at once; what is left at the end of the time is killed."""
    async with opened(stop_timeout=30) as bench:
        hogs = [await bench.start(name, shutdown="infinite", limits=Limits(max_execution_time=1e6)) for name in "abc"]
        asking = [bench.asking(hog, b"wait") for hog in hogs]
        good = await bench.start("good")
        await bench.host.until_paused(3)
        closing = asyncio.create_task(bench.supervisor.aclose())
        await bench.clock.advance(1)
        assert ActorState.STOPPED is good.state
        await bench.clock.advance(5)
        assert {ActorState.STOPPING} == {hog.state for hog in hogs}
        await bench.clock.advance(23)
        assert not closing.done()
        await bench.clock.advance(2)
        await closing
        assert [ActorStopped] * 3 == [type(end) for end in await asyncio.gather(*asking, return_exceptions=True)]


async def test_leaving_by_an_exception_kills() -> None:
    """No shutdown, no waiting for what is in progress."""
    with suppress(ZeroDivisionError):
        async with opened() as bench:
            child = await bench.start()
            asking = bench.asking(child, b"hang")
            await bench.host.until_paused()
            raise ZeroDivisionError
    with pytest.raises(ActorStopped):
        await asking
    assert ([], []) == (bench.host.calls("shutdown"), bench.host.live)


async def test_being_cancelled_while_stopping_kills_what_is_left() -> None:
    """Nothing survives, and the cancellation is not lost."""
    async with opened() as bench:
        child = await bench.start(shutdown="infinite")
        asking = bench.asking(child, b"hang")
        await bench.host.until_paused()
        closing = asyncio.create_task(bench.supervisor.aclose())
        await settle()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(ActorStopped):
            await asking
        assert [] == bench.host.live


async def test_the_cancellation_of_everything_closes_the_guests() -> None:
    """As at the end of `asyncio.run`: nobody waits for ever, every guest is closed."""
    host = ScriptedHost()
    supervisor = await Supervisor(host).__aenter__()
    handle = await supervisor.load_component(component(), OBEDIENT)
    message = ComponentMessage(HOST, b"hang")
    asking = asyncio.create_task(supervisor.call_handle_message(handle, message))
    await host.until_paused()
    root = supervisor._root
    assert root is not None
    assert root._task is not None
    root._task.cancel()
    with pytest.raises(ActorStopped):
        await asking
    await asyncio.wait([root._task])
    assert [] == host.live


@pytest.mark.parametrize("turns", range(12))
async def test_the_cancellation_of_everything_leaves_nothing_at_any_moment(turns: int) -> None:
    """Also while components start and restart: the registry is empty, and nothing goes wrong on the way."""
    host, observer = ScriptedHost(), RecordingObserver()
    supervisor = await Supervisor(host, observer=observer).__aenter__()
    await supervisor.load_component(component(), OBEDIENT)
    child = next(iter(supervisor.registry))
    starting = asyncio.create_task(supervisor.load_component(component("b"), OBEDIENT))
    restarting = asyncio.create_task(supervisor.restart(child))
    for _ in range(turns):
        await asyncio.sleep(0)
    root = supervisor._root
    assert root is not None
    root.group.cancel_scope.cancel()
    await supervisor.__aexit__(None, None, None)
    await asyncio.wait([starting, restarting])
    assert {ActorStopped, type(None)} >= {type(task.exception()) for task in (starting, restarting)}
    assert ([], []) == (list(supervisor.registry), host.live)


async def test_cancelled_unload_goes_on() -> None:
    """Who unloads may go; a second one waits for the same end."""
    async with opened() as bench:
        child = await bench.start()
        asking = bench.asking(child, b"sleep 1")
        await bench.host.until_paused()
        first = asyncio.create_task(bench.supervisor.stop_child(child))
        second = asyncio.create_task(bench.supervisor.stop_child(child))
        await settle()
        first.cancel()
        await bench.clock.advance(1)
        await second
        assert b"sleep 1" == await asking
        assert ActorState.STOPPED is child.state
