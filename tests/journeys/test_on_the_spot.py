"""An ask that finds its actor waiting is begun by its asker; whoever begins a message, it is handled alike."""

import asyncio
from typing import Any, Final

import pytest

from airssys_wasm import (
    ActorStopped,
    ActorSystem,
    BadValue,
    ComponentCrashed,
    DeadLetterReason,
    GuestError,
    RequestTimeout,
    Trap,
)
from airssys_wasm.actor.orders import Order
from airssys_wasm.testing import ManualClock
from tests.contract.stage import Actor, Stage, binary, component, until
from tests.runtime.plugins import API, KV, Kv

ON_THE_LOOP: Final[dict[str, Any]] = {"execution": "loop"}
"""Without a probation on a thread, so that the first message is begun on the spot."""


def has_begun(actor: Actor) -> bool:
    """Whether a message has had its first step, and the actor's task has not gone on with it."""
    living: Any = actor.handle._child.actor
    return living._work.begun is not None


async def at_rest(actor: Actor) -> None:
    """Wait until it waits for a message."""
    await until(lambda: actor.handle._child.mailbox.is_waited_at)


async def begin(actor: Actor, command: str, **settings: Any) -> "asyncio.Task[bytes | None]":
    """Ask for something that takes more than a step; returns between that step and the rest."""
    await at_rest(actor)
    asking = asyncio.ensure_future(actor.handle.ask(command.encode(), timeout=60, **settings))
    await asyncio.sleep(0)
    assert has_begun(actor)
    return asking


async def test_an_answer_of_one_step_costs_no_turn_of_the_loop(stage: Stage) -> None:
    """Mostly: a tick may come in the middle of it."""
    echo, passed, loop = await stage.load("echo", "echo", **ON_THE_LOOP), list[int](), asyncio.get_running_loop()
    for number in range(100):
        await at_rest(echo)
        loop.call_soon(passed.append, number)
        assert b"x" == await echo.handle.ask(b"x")
        if number not in passed:
            return
    pytest.fail("the loop had a turn in each of them")


async def test_what_takes_longer_goes_on_in_the_actor(stage: Stage) -> None:
    """In a host function that waits, or in a loop of its own; the next one comes after it."""
    guest = await stage.load("guest", **ON_THE_LOOP)
    asking = await begin(guest, "sleep 20")
    assert "2" == await guest.say("count")
    assert asking.done()
    assert 2 == guest.handle.statistics().handled


async def test_messages_keep_their_order(stage: Stage) -> None:
    """An ask never overtakes what was told before, whoever begins it."""
    counter = await stage.load("counter", "counter", **ON_THE_LOOP)
    for number in range(1, 60, 3):
        assert str(number).encode() == await counter.handle.ask(b"")
        counter.handle.tell_nowait(b"")
        assert str(number + 2).encode() == await counter.handle.ask(b"")


async def test_asking_without_a_pause_leaves_the_loop_its_turns(stage: Stage) -> None:
    """The budget for first steps is a tick for each turn."""
    echo, turns = await stage.load("echo", "echo", **ON_THE_LOOP), 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    for _ in range(100_000):
        await echo.handle.ask(b"x")
        if turns > 5:
            break
    beside.cancel()
    assert turns > 5


@pytest.mark.parametrize("command", ["loop", "sleep 60000"])
async def test_an_interruption_before_the_actor_goes_on(stage: Stage, command: str) -> None:
    """It is not lost: the guest stops, and the next instance answers."""
    guest = await stage.load("guest", **ON_THE_LOOP)
    asking = await begin(guest, command)
    assert guest.handle._child.actor is not None
    assert guest.handle._child.actor.interrupt()
    with pytest.raises(ActorStopped):
        await asking
    assert "1" == await guest.say("count")
    assert (0, 1) == (guest.handle.statistics().crashes, guest.handle.statistics().restarts)


async def test_giving_up_before_the_actor_goes_on(stage: Stage) -> None:
    """With `interrupt=True` the guest is stopped."""
    guest = await stage.load("guest", **ON_THE_LOOP)
    asking = await begin(guest, "loop", interrupt=True)
    asking.cancel()
    await until(lambda: guest.handle.statistics().restarts == 1)
    assert "1" == await guest.say("count")
    assert asking.cancelled()


async def test_a_restart_before_the_actor_goes_on(stage: Stage) -> None:
    """The message is interrupted, as any that is in progress."""
    guest = await stage.load("guest", **ON_THE_LOOP)
    asking = await begin(guest, "loop")
    await guest.handle.restart()
    with pytest.raises(ActorStopped):
        await asking
    assert "1" == await guest.say("count")


async def test_a_stop_before_the_actor_goes_on(stage: Stage) -> None:
    """The message in progress is finished first."""
    guest = await stage.load("guest", shutdown=20.0, **ON_THE_LOOP)
    asking = await begin(guest, "sleep 20")
    assert guest.handle._child.actor is not None
    guest.handle._child.actor.tell(Order.STOP)  # as `unload` does, some turns later
    await stage.unload(guest)
    assert asking.done()
    assert asking.exception() is None


async def test_a_kill_before_the_actor_goes_on(stage: Stage) -> None:
    """The message ends with the instance, and is a dead letter."""
    guest = await stage.load("guest", **ON_THE_LOOP)
    asking = await begin(guest, "loop")
    await stage.unload(guest)
    with pytest.raises(ActorStopped):
        await asking
    assert 1 == stage.system.statistics().dead_letters[DeadLetterReason.ACTOR_STOPPED]


async def test_a_trap_in_the_first_step_ends_the_instance(stage: Stage) -> None:
    """As any trap."""
    guest = await stage.load("guest", **ON_THE_LOOP)
    await at_rest(guest)
    with pytest.raises(ComponentCrashed) as caught:
        await guest.handle.ask(b"trap")
    assert isinstance(caught.value.__cause__, Trap)
    assert "1" == await guest.say("count")
    assert (1, 1) == (guest.handle.statistics().crashes, guest.handle.statistics().restarts)


async def test_an_err_in_the_first_step_is_no_crash(stage: Stage) -> None:
    """It is counted as one, and the same instance goes on."""
    guest = await stage.load("guest", **ON_THE_LOOP)
    await at_rest(guest)
    with pytest.raises(GuestError):
        await guest.handle.ask(b"no-such-word")
    assert "2" == await guest.say("count")
    assert (0, 1) == (guest.handle.statistics().crashes, guest.handle.statistics().guest_errors)


async def test_an_ask_without_time_is_not_begun(stage: Stage) -> None:
    """Its time is over when it comes."""
    counter = await stage.load("counter", "counter", **ON_THE_LOOP)
    await at_rest(counter)
    with pytest.raises(RequestTimeout) as caught:
        await counter.handle.ask(b"", timeout=0)
    assert "withdrawn" == caught.value.outcome
    assert b"1" == await counter.handle.ask(b"")


async def test_arguments_that_do_not_fit_are_refused(stage: Stage) -> None:
    """The call is a dead letter; the guest has not run, and goes on."""
    plugin = await stage.system.load(component("plugin"), binary("plugin"), imports={KV: Kv()}, **ON_THE_LOOP)
    await until(lambda: plugin._child.mailbox.is_waited_at)
    with pytest.raises(BadValue):
        await plugin.call(API, "greet", 5)
    assert "Hello, Ada!" == await plugin.call(API, "greet", "Ada")
    assert (1, 0) == (sum(stage.system.statistics().dead_letters.values()), plugin.statistics().crashes)


async def test_asks_keep_a_component_awake() -> None:
    """Those too that its mailbox never saw."""
    clock = ManualClock()
    async with ActorSystem(clock=clock) as system:
        echo = await system.load(component("echo"), binary("echo"), passivate_after=10, **ON_THE_LOOP)
        for _ in range(3):
            await clock.advance(9)
            await echo.ask(b"x")
        await clock.advance(9)
        assert "running" == echo.state
        await clock.advance(2)
        await until(lambda: echo.state == "asleep")
