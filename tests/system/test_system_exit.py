"""Leaving an `ActorSystem`: in whatever task, however busy it is, by whatever way."""

import asyncio
import time
from contextlib import suppress

import pytest

from airssys_wasm import (
    ActorHandle,
    ActorState,
    ActorStopped,
    ActorSystem,
    AirssysError,
    ComponentId,
    ConfigError,
    Limits,
    Policy,
)
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import OBEDIENT, Script, ScriptedGuest, ScriptedHost

A = ComponentId("demo", "a", "0")
GATED, STUCK_CLOSE, STUBBORN = b"gated", b"stuck close", b"stubborn"
PATIENT = Limits(max_execution_time=1e6)


def component(number: int) -> ComponentId:
    """One of many."""
    return ComponentId("demo", "many", str(number))


async def _stubborn(guest: ScriptedGuest) -> bytes | None:
    return await guest.pause()


async def test_entering_and_leaving_in_different_tasks() -> None:
    """A framework's start-up and shutdown hooks do that; a third task uses it."""
    host = ScriptedHost()
    system = ActorSystem(host=host)
    await asyncio.create_task(system.__aenter__())
    handle = await asyncio.create_task(system.load(A, OBEDIENT))
    assert b"x" == await asyncio.create_task(handle.ask(b"x"))
    await asyncio.create_task(system.__aexit__(None, None, None))
    assert ([], [A]) == (host.live, host.calls("shutdown"))


async def test_it_is_entered_once() -> None:
    """And used only while it is open."""
    system = ActorSystem(host=ScriptedHost())
    with pytest.raises(RuntimeError, match="async with"):
        await system.load(A, OBEDIENT)
    async with system:
        pass
    with pytest.raises(RuntimeError, match="once"):
        await system.__aenter__()
    with pytest.raises(ActorStopped):
        await system.load(A, OBEDIENT)
    assert {} == system.statistics().components


async def test_a_system_that_cannot_be_made_leaves_nothing() -> None:
    """No task and no thread; what is wrong is named."""
    tasks = len(asyncio.all_tasks())
    with pytest.raises(ConfigError, match="two policies"):
        await ActorSystem(policies=[Policy("same", ()), Policy("same", ())]).__aenter__()
    assert tasks == len(asyncio.all_tasks())


async def test_an_exception_kills_and_comes_out() -> None:
    """Nobody waits for the guest that hangs."""
    host = ScriptedHost()
    begun = time.monotonic()
    with suppress(ZeroDivisionError):
        async with ActorSystem(host=host) as system:
            handle = await system.load(A, OBEDIENT, shutdown="infinite")
            asking = asyncio.create_task(handle.ask(b"hang", timeout=None))
            await host.until_paused()
            raise ZeroDivisionError
    with pytest.raises(ActorStopped):
        await asking
    assert ([], []) == (host.live, host.calls("shutdown"))
    assert time.monotonic() - begun < 5


async def test_a_clean_exit_stops_in_reverse_order() -> None:
    """Every guest hears of it, once."""
    host = ScriptedHost()
    async with ActorSystem(host=host) as system:
        for number in range(20):
            await system.load(component(number), OBEDIENT)
    assert [component(number) for number in reversed(range(20))] == host.calls("shutdown")


@pytest.mark.parametrize("shutdown", ["infinite", 5.0, 0.05, "brutal"])
async def test_a_hung_guest_is_left_within_the_bound(shutdown: float) -> None:
    """Whatever it was promised for itself, `stop_timeout` is the end."""
    host = ScriptedHost({STUBBORN: Script(on_shutdown=_stubborn)})
    begun = time.monotonic()
    async with ActorSystem(host=host, stop_timeout=0.2) as system:
        hung = await system.load(A, OBEDIENT, shutdown=shutdown, limits=PATIENT)
        await system.load(component(0), STUBBORN, shutdown=shutdown, limits=PATIENT)
        asking = asyncio.create_task(hung.ask(b"hang", timeout=None))
        await host.until_paused()
    assert time.monotonic() - begun < 2
    with pytest.raises(ActorStopped):
        await asking
    assert [] == host.live


async def test_stopping_under_load_ends_every_ask_once() -> None:
    """Hundreds of askers keep asking while it ends; each gets an answer or ActorStopped, and all of them end."""
    host = ScriptedHost()
    answers = stopped = 0
    enough = asyncio.Event()

    async def keep_asking(handle: ActorHandle, payload: bytes) -> None:
        nonlocal answers, stopped
        while True:
            try:
                await handle.ask(payload)
                answers += 1
                if answers == 2000:
                    enough.set()
                await asyncio.sleep(0)
            except ActorStopped:
                stopped += 1
                return
            except AirssysError:
                await asyncio.sleep(0)

    begun = time.monotonic()
    async with ActorSystem(host=host, stop_timeout=5) as system:
        handles = [await system.load(component(number), OBEDIENT) for number in range(20)]
        payloads = [b"x", b"count", b"sleep 0.001", b"err no", b"none"]
        askers = [asyncio.create_task(keep_asking(handle, each)) for handle in handles for each in payloads]
        await asyncio.wait_for(enough.wait(), 30)
    await asyncio.gather(*askers)
    assert (100, []) == (stopped, host.live)
    assert time.monotonic() - begun < 20


async def test_sent_is_handled_plus_dead_letters_to_the_last_message() -> None:
    """With crashes, errs, restarts, timeouts and a stop in the middle of it all."""
    host = ScriptedHost()
    sent = 0

    async def keep_sending(handle: ActorHandle, payload: bytes) -> None:
        nonlocal sent
        for number in range(50):
            sent += 1
            with suppress(AirssysError):
                if number % 2:
                    await handle.tell(payload)
                else:
                    await handle.ask(payload, timeout=0.005, interrupt=number % 4 == 0)
            await asyncio.sleep(0)

    async with ActorSystem(host=host) as system:
        handles = [
            await system.load(component(number), OBEDIENT, limits=Limits(mailbox_capacity=4, max_execution_time=0.01))
            for number in range(6)
        ]
        payloads = [b"x", b"sleep 0.002", b"err no", b"trap", b"hang"]
        senders = [asyncio.create_task(keep_sending(handle, each)) for handle in handles for each in payloads]
        await asyncio.sleep(0.05)
        for handle in handles[:3]:
            await handle.restart()
        exiting = asyncio.create_task(_unload_all(system, handles[3:]))
        await asyncio.wait(senders, timeout=1)
        await exiting
        for handle in handles:
            await system.unload(handle)
        await asyncio.gather(*senders)
        ends = [handle.statistics() for handle in handles]
        handled = sum(end.handled + end.guest_errors for end in ends)
        assert sent == handled + sum(system.statistics().dead_letters.values())


async def _unload_all(system: ActorSystem, handles: list[ActorHandle]) -> None:
    for handle in handles:
        await system.unload(handle, drain=True)


async def test_leaving_while_a_load_compiles_fails_the_load() -> None:
    """What comes out of the compiler then is not started any more."""
    gate = asyncio.Event()

    async def on_compile(host: ScriptedHost) -> None:
        host.note_pause()
        await gate.wait()

    host = ScriptedHost({GATED: Script(on_compile=on_compile)})
    async with ActorSystem(host=host) as system:
        loading = asyncio.create_task(system.load(A, GATED))
        await host.until_paused()
    gate.set()
    with pytest.raises(ActorStopped):
        await loading
    assert [] == host.guests


async def test_leaving_while_a_component_initializes_stops_it() -> None:
    """The load fails, the instance is closed."""

    async def on_initialize(guest: ScriptedGuest, _config: object) -> bytes | None:
        return await guest.pause()

    host = ScriptedHost({GATED: Script(on_initialize=on_initialize)})
    async with ActorSystem(host=host) as system:
        loading = asyncio.create_task(system.load(A, GATED, limits=PATIENT))
        await host.until_paused()
    with pytest.raises(ActorStopped):
        await loading
    assert [] == host.live


async def test_being_cancelled_while_leaving_kills_and_finishes() -> None:
    """The cancellation comes out once everything has ended; cancelling again does not break it off."""
    host = ScriptedHost()

    async def use() -> None:
        async with ActorSystem(host=host) as system:
            handle = await system.load(A, OBEDIENT, shutdown="infinite", limits=PATIENT)
            asking.append(asyncio.create_task(handle.ask(b"hang", timeout=None)))
            await host.until_paused()

    asking: list[asyncio.Task[bytes | None]] = []
    using = asyncio.create_task(use())
    await host.until_paused()
    await settle()
    using.cancel()
    await asyncio.sleep(0)
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    with pytest.raises(ActorStopped):
        await asking[0]
    assert [] == host.live


async def test_being_cancelled_inside_kills() -> None:
    """As any exception."""
    host = ScriptedHost()

    async def use() -> None:
        async with ActorSystem(host=host) as system:
            handle = await system.load(A, OBEDIENT, shutdown="infinite", limits=PATIENT)
            await handle.ask(b"hang", timeout=None)

    using = asyncio.create_task(use())
    await host.until_paused()
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert [] == host.live


async def test_a_thousand_loads_leave_nothing() -> None:
    """No task, no instance, no entry."""
    host = ScriptedHost()
    tasks = len(asyncio.all_tasks())
    async with ActorSystem(host=host) as system:
        for _ in range(1000):
            handle = await system.load(A, OBEDIENT)
            await handle.ask(b"x")
            await system.unload(handle)
            assert ActorState.STOPPED is handle.state
        assert ([], {}) == (host.live, system.statistics().components)
        _, parts = system._running()
        assert ({}, {}) == (parts.supervisor._children.all, parts.guard._held)
        await settle()
        assert tasks + 2 == len(asyncio.all_tasks())
