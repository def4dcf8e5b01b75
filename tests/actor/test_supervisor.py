"""Starting, restarting, giving up, reviving and stopping, on scripted guests and a manual clock."""

import asyncio
from functools import partial

import pytest

from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.actor.supervisor import Supervisor
from airssys_wasm.core.config import ComponentConfig, Restart
from airssys_wasm.core.errors import (
    ActorStopped,
    ComponentCrashed,
    ComponentNotFound,
    GuestError,
    InstantiationFailed,
    InvalidComponent,
    Trap,
)
from airssys_wasm.core.exits import ExitKind
from airssys_wasm.core.ids import ComponentHandle
from airssys_wasm.core.messages import ComponentMessage, MessagePayload
from airssys_wasm.core.observations import ActorState, DeadLetterReason, EventKind
from airssys_wasm.testing.guests import OBEDIENT, Script, ScriptedGuest, ScriptedHost
from tests.actor.bench import HOST, Bench, component


async def _err(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
    raise GuestError("initialization-failed", "no database")


async def _trap(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
    raise Trap("unreachable executed", "unreachable")


@pytest.mark.parametrize(("on_initialize", "text"), [(_err, "no database"), (_trap, "unreachable executed")])
async def test_a_first_start_that_fails_leaves_nothing(bench: Bench, on_initialize: object, text: str) -> None:
    """Whoever started it gets the guest's own words; it is not tried again and no event tells of it."""
    with pytest.raises(InstantiationFailed, match=text) as caught:
        await bench.start(script=Script(on_initialize=on_initialize))  # type: ignore[arg-type]
    assert isinstance(caught.value.__cause__, GuestError | Trap)
    assert ([], [], 0) == (bench.host.live, bench.observer.events, len(bench.supervisor.registry))
    assert [] == bench.clock.pending


@pytest.mark.parametrize("error", [InvalidComponent("x", "is broken"), MemoryError("no maps")])
async def test_what_its_host_says_of_a_start_comes_through(bench: Bench, error: Exception) -> None:
    """Our own errors as they are, others as the cause of `InstantiationFailed`."""

    async def on_start(_guest: ScriptedGuest) -> None:
        raise error

    with pytest.raises((InvalidComponent, InstantiationFailed)) as caught:
        await bench.start(script=Script(on_start=on_start))
    assert error in {caught.value, caught.value.__cause__}


async def test_a_cancelled_start_leaves_nothing(bench: Bench) -> None:
    """Also when it is cancelled in the middle of `initialize`."""

    async def on_initialize(guest: ScriptedGuest, _config: ComponentConfig) -> None:
        await guest.pause()

    starting = asyncio.create_task(bench.start(script=Script(on_initialize=on_initialize)))
    await bench.host.until_paused()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert ([], 0) == (bench.host.live, len(bench.supervisor.registry))


async def test_a_crash_is_followed_by_a_restart_after_the_back_off(bench: Bench) -> None:
    """100 ms, doubling; the new instance knows nothing, the mailbox was kept."""
    child = await bench.start()
    await bench.ask(child, b"count")
    await bench.crash(child)
    assert ActorState.RESTARTING is child.state
    waiting = bench.asking(child, b"count")
    await bench.clock.advance(0.09)
    assert not waiting.done()
    await bench.clock.advance(0.02)
    assert b"1" == await waiting
    await bench.crash(child)
    assert [0.1, 0.2] == [event.delay for event in bench.observer.events if event.kind is EventKind.RESTARTING]
    await bench.clock.advance(0.2)
    assert 2 == child.statistics().restarts


async def test_the_message_that_crashed_is_not_delivered_again(bench: Bench) -> None:
    """At most once."""
    seen: list[bytes] = []

    async def on_message(_guest: ScriptedGuest, message: ComponentMessage) -> None:
        seen.append(message.payload.data)
        if message.payload.data == b"trap":
            raise Trap("unreachable")

    child = await bench.start(script=Script(on_message=on_message))
    for payload in (b"1", b"trap", b"2"):
        await bench.tell(child, payload)
    await bench.clock.advance(1)
    assert [b"1", b"trap", b"2"] == seen


async def test_too_many_crashes_fail_the_component_and_restart_revives_it(bench: Bench) -> None:
    """Three restarts in 60 s; the fourth crash ends it, with all that waits and comes later as ActorStopped."""
    child, other = await bench.start(), await bench.start("b")
    for _ in range(3):
        await bench.crash(child)
        await bench.clock.advance(1)
    crashing, waiting = bench.asking(child, b"trap"), bench.asking(child, b"waits")
    with pytest.raises(ComponentCrashed):
        await crashing
    with pytest.raises(ActorStopped) as caught:
        await waiting
    assert caught.value.reason is not None
    assert ExitKind.FAILED is caught.value.reason.kind
    assert ActorState.FAILED is child.state
    assert (await bench.supervisor.wait_stopped(child)).kind is ExitKind.FAILED
    with pytest.raises(ActorStopped):
        await bench.ask(child, b"later")
    assert child is bench.supervisor.registry.get(component())
    assert b"other" == await bench.ask(other, b"other")

    await bench.supervisor.restart(child)
    assert b"1" == await bench.ask(child, b"count")
    await bench.crash(child)
    assert 1 == bench.observer.events[-1].attempt, "a revived component begins with an empty window"


async def test_crashes_that_are_far_apart_never_fail_it(bench: Bench) -> None:
    """The window slides."""
    child = await bench.start()
    for _ in range(10):
        await bench.crash(child)
        await bench.clock.advance(21)
    assert b"1" == await bench.ask(child, b"count")


async def test_a_restart_that_fails_to_initialize_counts(bench: Bench) -> None:
    """It is tried again with back-off until the intensity is used up."""
    broken = False

    async def on_initialize(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
        if broken:
            raise Trap("unreachable")

    child = await bench.start(script=Script(on_initialize=on_initialize))
    broken = True
    await bench.crash(child)
    await bench.clock.advance(10)
    assert ActorState.FAILED is child.state
    assert 4 == len(bench.host.guests)
    with pytest.raises(InstantiationFailed):
        await bench.supervisor.restart(child)
    broken = False
    await bench.supervisor.restart(child)
    assert b"1" == await bench.ask(child, b"count")


@pytest.mark.parametrize(
    ("restart", "state"),
    [
        (Restart.PERMANENT, ActorState.RESTARTING),
        (Restart.TRANSIENT, ActorState.RESTARTING),
        (Restart.TEMPORARY, ActorState.STOPPED),
    ],
)
async def test_the_restart_type_decides_what_follows_a_crash(bench: Bench, restart: Restart, state: ActorState) -> None:
    """A temporary one is gone, and its id free."""
    child = await bench.start(policy=RestartPolicy(restart=restart))
    await bench.crash(child)
    assert state is child.state
    assert (state is ActorState.STOPPED) is (bench.supervisor.registry.get(component()) is None)
    if state is ActorState.STOPPED:
        assert (await bench.supervisor.wait_stopped(child)).kind is ExitKind.CRASHED
        assert (await bench.start()).handle.handle_id > child.handle.handle_id


async def test_restart_interrupts_at_once_and_does_not_count(bench: Bench) -> None:
    """Its message ends as ActorStopped and dead letter, the next one meets the new instance; any number of times."""
    child = await bench.start()
    for _ in range(6):
        asking = bench.asking(child, b"hang")
        next_one = bench.asking(child, b"count")
        await bench.host.until_paused(bench.host.pauses + 1)
        await bench.supervisor.restart(child)
        with pytest.raises(ActorStopped):
            await asking
        assert b"1" == await next_one
    assert [(b"hang", DeadLetterReason.INTERRUPTED)] * 6 == bench.letters()
    assert (6, 0) == (child.statistics().restarts, child.statistics().crashes)


async def test_restart_of_an_idle_component_says_goodbye_to_the_guest(bench: Bench) -> None:
    """Nothing was in progress, so `shutdown` can be called."""
    child = await bench.start()
    await bench.supervisor.restart(child)
    assert ["start", "initialize", "shutdown", "close", "start", "initialize"] == [what for what, _ in bench.host.log]


async def test_restart_during_back_off_starts_at_once(bench: Bench) -> None:
    """Nobody has to wait for the deadline."""
    child = await bench.start()
    await bench.crash(child)
    await bench.supervisor.restart(child)
    assert b"1" == await bench.ask(child, b"count")


async def test_restart_just_as_the_back_off_is_over_starts_one_instance(bench: Bench) -> None:
    """The request and the timer are in the supervisor's inbox together."""
    child = await bench.start()
    await bench.crash(child)
    restarting = asyncio.create_task(bench.supervisor.restart(child))
    timer = partial(bench.supervisor._post, partial(bench.supervisor._children.begin, child))
    asyncio.get_running_loop().call_soon(timer)
    await restarting
    await bench.clock.advance(1.0)
    assert (ActorState.RUNNING, 1, 2) == (child.state, child.restarts, len(bench.host.guests))


async def test_restart_of_what_is_gone_is_refused(bench: Bench) -> None:
    """So is a restart that a stop overtakes."""
    child = await bench.start()
    restarting = asyncio.create_task(bench.supervisor.restart(child))
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    await stopping
    with pytest.raises(ActorStopped):
        await restarting
    with pytest.raises(ActorStopped):
        await bench.supervisor.restart(child)


async def test_a_closed_supervisor_starts_nothing() -> None:
    """A load that was still compiling comes too late."""
    host = ScriptedHost()
    async with Supervisor(host) as supervisor:
        handle = await supervisor.load_component(component(), OBEDIENT)
    with pytest.raises(ActorStopped):
        await supervisor.load_component(component(), OBEDIENT)
    await supervisor.unload_component(handle)


async def test_as_a_runtime_engine_it_loads_an_id_more_than_once() -> None:
    """Handles count from 1 and are never used again; unload is silent, a call of what is gone names it."""
    async with Supervisor(ScriptedHost()) as supervisor:
        first, second = [await supervisor.load_component(component(), OBEDIENT) for _ in range(2)]
        assert [1, 2] == [first.handle_id, second.handle_id]
        message = ComponentMessage(HOST, b"count")
        assert MessagePayload(b"1") == await supervisor.call_handle_message(first, message)
        assert MessagePayload(b"1") == await supervisor.call_handle_message(second, message)
        assert None is await supervisor.call_handle_message(second, ComponentMessage(HOST, b"none"))
        await supervisor.unload_component(first)
        await supervisor.unload_component(first)
        await supervisor.unload_component(ComponentHandle(component(), 99))
        with pytest.raises(ComponentNotFound, match="demo/a/0"):
            await supervisor.call_handle_message(first, message)
        assert MessagePayload(b"2") == await supervisor.call_handle_message(second, message)
        assert 3 == (await supervisor.load_component(component(), OBEDIENT)).handle_id


async def test_restart_waits_for_its_own_instance(bench: Bench) -> None:
    """Not for one that was starting anyway when it was asked for."""

    async def on_initialize(guest: ScriptedGuest, _config: ComponentConfig) -> None:
        await guest.pause()

    script = Script(on_initialize=on_initialize)
    starting = asyncio.create_task(bench.start(script=script))
    await bench.host.until_paused(1)
    bench.guest().resume()
    child = await starting
    first, second = [asyncio.create_task(bench.supervisor.restart(child)) for _ in range(2)]
    await bench.host.until_paused(2)
    bench.guest().resume()
    await asyncio.gather(first, second)
    assert (ActorState.RUNNING, 1) == (child.state, child.restarts)
    third = asyncio.create_task(bench.supervisor.restart(child))
    await bench.host.until_paused(3)
    assert not third.done()
    bench.guest().resume()
    await third


async def test_jitter_spreads_the_restarts_of_those_that_stand_alone(bench: Bench) -> None:
    """Each waits at most its back-off, and what is announced is what it waits."""
    policy = RestartPolicy(backoff_initial=10.0, jitter=1.0)
    for number in range(20):
        await bench.crash(await bench.start(f"n{number}", policy=policy))
    delays = [event.delay for event in bench.observer.events if event.kind is EventKind.RESTARTING]
    assert len(set(delays)) > 1
    assert all(0.0 <= delay <= 10.0 for delay in delays)
    assert pytest.approx(sorted(delays)) == [due - bench.clock.time() for due in bench.clock.pending]
