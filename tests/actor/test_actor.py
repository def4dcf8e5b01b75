"""One instance as a task: setup, one message at a time, and every way to end."""

import asyncio

import pytest

from airssys_wasm.actor import actor as actor_module
from airssys_wasm.actor import farewell
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import (
    ActorStopped,
    ComponentCrashed,
    DeadlineExceeded,
    GuestError,
    PayloadTooLarge,
    Trap,
)
from airssys_wasm.core.exits import ExitKind
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import ActorState, DeadLetterReason, EventKind
from airssys_wasm.core.ports import ComponentMetadata
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import HOST, Bench, component


async def test_an_answer_is_given_to_who_asked(bench: Bench) -> None:
    """`none` and empty stay different; the guest counts as having handled them."""
    child = await bench.start()
    assert b"hi" == await bench.ask(child, b"hi")
    assert b"" == await bench.ask(child, b"")
    assert None is await bench.ask(child, b"none")
    assert 3 == child.statistics().handled


async def test_initialize_gets_the_config_at_every_start(bench: Bench) -> None:
    """The metadata of the last start is the child's."""
    seen: list[ComponentConfig] = []

    async def on_initialize(_guest: ScriptedGuest, config: ComponentConfig) -> None:
        seen.append(config)

    config, metadata = ComponentConfig((("a", "1"),), b"data"), ComponentMetadata("named", "2.0.0")
    child = await bench.start(script=Script(on_initialize=on_initialize, metadata=metadata), config=config)
    await bench.supervisor.restart(child)
    assert [config, config] == seen
    assert metadata == child.metadata


async def test_err_is_an_answer_and_no_crash(bench: Bench) -> None:
    """The asker gets the guest's own words, the instance lives on and remembers."""
    child = await bench.start()
    await bench.ask(child, b"count")
    with pytest.raises(GuestError) as caught:
        await bench.ask(child, b"err no luck")
    assert ("runtime-error", "no luck") == (caught.value.case, caught.value.text)
    assert b"2" == await bench.ask(child, b"count")
    statistics = child.statistics()
    assert (2, 1, 0, 0) == (statistics.handled, statistics.guest_errors, statistics.crashes, statistics.restarts)


@pytest.mark.parametrize(
    ("payload", "word", "cause"),
    [
        (b"trap", "unreachable", Trap),
        (b"bug", "LookupError", LookupError),
        (b"huge 2000000", "payload-too-large", PayloadTooLarge),
    ],
)
async def test_a_crash_tells_the_asker_its_cause(bench: Bench, payload: bytes, word: str, cause: type) -> None:
    """Whatever ends the instance on a message, also a bug of a host, crashes this component and nothing else."""
    child, other = await bench.start(), await bench.start("b")
    with pytest.raises(ComponentCrashed) as caught:
        await bench.ask(child, payload)
    assert (component(), word, payload) == (
        caught.value.component,
        caught.value.reason,
        caught.value.message and caught.value.message.payload.data,
    )
    assert isinstance(caught.value.__cause__, cause)
    assert [(payload, DeadLetterReason.CRASHED)] == bench.letters()
    assert b"1" == await bench.ask(other, b"count")


async def test_a_call_that_runs_into_its_deadline_is_a_crash(bench: Bench) -> None:
    """The limit is the component's own."""
    child = await bench.start(limits=Limits(max_execution_time=2.0))
    asking = bench.asking(child, b"hang")
    await bench.host.until_paused()
    await bench.clock.advance(1.9)
    assert not asking.done()
    await bench.clock.advance(0.2)
    with pytest.raises(ComponentCrashed) as caught:
        await asking
    assert isinstance(caught.value.__cause__, DeadlineExceeded)


async def test_a_told_message_that_crashes_is_a_dead_letter(bench: Bench) -> None:
    """Nobody waits for it, but it is not lost in silence."""
    child = await bench.start()
    await bench.crash(child)
    assert [(b"trap", DeadLetterReason.CRASHED)] == bench.letters()
    assert 1 == child.statistics().crashes


async def test_callbacks_go_to_handle_callback_and_err_is_counted(bench: Bench) -> None:
    """An err in it is no crash; a trap is."""
    callbacks: list[bytes] = []

    async def on_callback(_guest: ScriptedGuest, message: ComponentMessage) -> None:
        callbacks.append(message.payload.data)
        if message.payload.data == b"err":
            raise GuestError("runtime-error", "no")
        if message.payload.data == b"trap":
            raise Trap("unreachable")

    child = await bench.start(script=Script(on_callback=on_callback))
    handle = child.handle
    await bench.supervisor.call_handle_callback(handle, ComponentMessage(HOST, b"ok"))
    with pytest.raises(GuestError):
        await bench.supervisor.call_handle_callback(handle, ComponentMessage(HOST, b"err"))
    assert 1 == child.statistics().guest_errors
    with pytest.raises(ComponentCrashed):
        await bench.supervisor.call_handle_callback(handle, ComponentMessage(HOST, b"trap"))
    assert [b"ok", b"err", b"trap"] == callbacks


async def test_messages_are_handled_one_at_a_time(bench: Bench) -> None:
    """The second one waits although the first one only sleeps."""
    child = await bench.start()
    first, second = bench.asking(child, b"sleep 1"), bench.asking(child, b"second")
    await bench.clock.advance(0.5)
    assert (False, False) == (first.done(), second.done())
    await bench.clock.advance(0.6)
    assert (b"sleep 1", b"second") == (await first, await second)


async def test_the_loop_gets_turns_while_an_actor_drains(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that never waits does not keep the loop for a mailbox full of messages."""
    monkeypatch.setattr(actor_module, "TURN_SECONDS", 0.0)
    child = await bench.start()
    turns = 0

    async def beat() -> None:
        nonlocal turns
        while child.handled < 100:
            turns += 1
            await asyncio.sleep(0)

    for _ in range(100):
        await bench.tell(child, b"x")
    await beat()
    assert turns >= 100


async def test_stop_finishes_the_message_and_calls_shutdown_once(bench: Bench) -> None:
    """What waits behind it ends as stopped; a stop is not followed by a second shutdown."""
    child = await bench.start()
    first, second = bench.asking(child, b"sleep 1"), bench.asking(child, b"second")
    await bench.host.until_paused()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    await settle()
    assert ActorState.STOPPING is child.state
    with pytest.raises(ActorStopped):
        await second
    await bench.clock.advance(1.0)
    await stopping
    assert b"sleep 1" == await first
    assert [component()] == bench.host.calls("shutdown") == bench.host.calls("close")
    assert [(b"second", DeadLetterReason.ACTOR_STOPPED)] == bench.letters()


async def test_the_grace_period_bounds_message_and_shutdown_together(bench: Bench) -> None:
    """A shutdown that would end too late is cut off, and so is a message."""

    async def on_shutdown(guest: ScriptedGuest) -> bytes | None:
        return await guest.pause()

    child = await bench.start(script=Script(on_shutdown=on_shutdown), shutdown=3.0)
    asking = bench.asking(child, b"sleep 2")
    await bench.host.until_paused()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    await bench.clock.advance(2.5)
    assert b"sleep 2" == await asking
    assert not stopping.done()
    await bench.clock.advance(0.6)
    await stopping
    assert [] == bench.host.live


async def test_a_message_that_outlives_the_grace_period_is_killed(bench: Bench) -> None:
    """Its asker hears that the component stopped; shutdown is not called on a spent instance."""
    child = await bench.start(shutdown=1.0)
    asking = bench.asking(child, b"hang")
    await bench.host.until_paused()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    await bench.clock.advance(1.1)
    await stopping
    with pytest.raises(ActorStopped) as caught:
        await asking
    assert caught.value.reason is not None
    assert ExitKind.STOPPED is caught.value.reason.kind
    assert [] == bench.host.calls("shutdown")
    assert [(b"hang", DeadLetterReason.ACTOR_STOPPED)] == bench.letters()


@pytest.mark.parametrize(("shutdown", "seconds"), [("brutal", 0.0), ("infinite", 25.0)])
async def test_shutdown_may_be_brutal_or_infinite(bench: Bench, shutdown: str, seconds: float) -> None:
    """Brutal does not wait for the message, infinite does however long it takes."""
    child = await bench.start(shutdown=shutdown)
    asking = bench.asking(child, b"sleep 24")
    await bench.host.until_paused()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    await bench.clock.advance(seconds)
    await stopping
    if shutdown == "brutal":
        with pytest.raises(ActorStopped):
            await asking
    else:
        assert b"sleep 24" == await asking


@pytest.mark.parametrize("payload", [b"err goodbye", b"trap"])
async def test_what_goes_wrong_in_shutdown_changes_nothing(bench: Bench, payload: bytes) -> None:
    """It is logged; the component is gone all the same."""

    async def on_shutdown(_guest: ScriptedGuest) -> None:
        raise GuestError("shutdown-failed", "no") if payload != b"trap" else Trap("unreachable")

    child = await bench.start(script=Script(on_shutdown=on_shutdown))
    await bench.supervisor.stop_child(child)
    assert ActorState.STOPPED is child.state
    assert [EventKind.STARTED, EventKind.STOPPED] == bench.observer.kinds()


async def test_a_guest_that_cannot_be_closed_is_left_behind(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The stop ends; the log names the component."""

    async def on_close(_guest: ScriptedGuest) -> None:
        await asyncio.Event().wait()

    child = await bench.start(script=Script(on_close=on_close))
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    await bench.clock.advance(farewell.CLOSE_SECONDS + 0.1)
    await stopping
    assert "demo/a/0 did not close" in caplog.text


async def test_an_error_while_closing_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The end stays what it was."""

    async def on_close(_guest: ScriptedGuest) -> None:
        raise LookupError

    child = await bench.start(script=Script(on_close=on_close))
    await bench.supervisor.stop_child(child)
    assert "demo/a/0 could not be closed" in caplog.text


async def test_withdrawn_messages_are_dropped_and_reported(bench: Bench) -> None:
    """An asker that gave up before its turn costs the guest nothing."""
    child = await bench.start()
    first = bench.asking(child, b"wait")
    await bench.host.until_paused()
    second = bench.asking(child, b"count")
    await settle()
    second.cancel()
    bench.guest().resume(b"done")
    assert b"done" == await first
    assert b"1" == await bench.ask(child, b"count")
    assert [(b"count", DeadLetterReason.WITHDRAWN)] == bench.letters()


async def test_a_guests_last_words_are_one_line_of_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """It cannot write lines of its own, move a terminal, or fill the log."""

    async def on_shutdown(_guest: ScriptedGuest) -> None:
        raise GuestError("shutdown-failed", "\n2026 ERROR forged \x1b[2J" + 10_000 * "x")

    await bench.supervisor.stop_child(await bench.start(script=Script(on_shutdown=on_shutdown)))
    (line,) = [line for line in caplog.messages if "shutdown" in line]
    assert (True, True) == (line.isprintable(), len(line) < 2000)
    assert r"shutdown-failed: \n2026 ERROR forged \x1b[2Jx" in line
