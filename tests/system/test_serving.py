"""Host code as an actor: one message at a time, and whatever it does stays its own affair."""

import asyncio
import contextlib

import pytest

from airssys_wasm import (
    ActorState,
    ActorStopped,
    ActorSystem,
    AlreadyLoaded,
    ComponentId,
    ComponentMessage,
    GuestError,
    InvalidId,
    Limits,
    RequestTimeout,
)
from airssys_wasm.system import handling
from airssys_wasm.testing.clock import ManualClock, settle
from airssys_wasm.testing.guests import OBEDIENT, ScriptedHost

INBOX = ComponentId("host", "tests", "inbox")
A = ComponentId("demo", "a", "0")


async def test_a_handler_answers_bytes_or_none_one_message_at_a_time(scripted_system: ActorSystem) -> None:
    """In the order of arrival."""
    running: list[bytes] = []

    async def handler(message: ComponentMessage) -> bytes | None:
        running.append(message.payload.data)
        assert 1 == len(running)
        await asyncio.sleep(0)
        running.clear()
        return None if message.payload.data == b"none" else message.payload.data

    inbox = await scripted_system.serve(INBOX, handler)
    assert [b"1", None, b""] == list(await asyncio.gather(inbox.ask(b"1"), inbox.ask(b"none"), inbox.ask(b"")))
    assert 3 == inbox.statistics().handled


async def test_what_a_handler_raises_is_an_err_and_no_crash(
    scripted_system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the exception's name gets out; the traceback is in the log."""

    async def handler(message: ComponentMessage) -> bytes | None:
        if message.payload.data == b"guest error":
            raise GuestError("invalid-component", "text")
        raise LookupError("secret")

    inbox = await scripted_system.serve(INBOX, handler)
    with pytest.raises(GuestError, match="invalid-component: text"):
        await inbox.ask(b"guest error")
    with pytest.raises(GuestError, match=r"runtime-error: the handler failed: LookupError$"):
        await inbox.ask(b"x")
    assert ["host/tests/inbox: the handler failed"] == [line for line in caplog.messages if "failed" in line]
    assert (2, 0) == (inbox.statistics().guest_errors, inbox.statistics().crashes)


async def test_a_handler_that_awaits_something_cancelled_has_failed_and_lives_on(scripted_system: ActorSystem) -> None:
    """The cancellation is not its own: the next message is handled, and the system can be left."""

    async def handler(message: ComponentMessage) -> bytes | None:
        if message.payload.data == b"cancelled":
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        return b"ok"

    inbox = await scripted_system.serve(INBOX, handler)
    with pytest.raises(GuestError, match="the handler failed: CancelledError"):
        await inbox.ask(b"cancelled")
    assert (b"ok", ActorState.RUNNING) == (await inbox.ask(b"x"), inbox.state)


async def test_a_handler_that_cancels_its_own_task_has_failed_and_lives_on(scripted_system: ActorSystem) -> None:
    """As with whatever else it raises; nobody else notices."""

    async def handler(message: ComponentMessage) -> bytes | None:
        if message.payload.data == b"cancel":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        return b"ok"

    echo, inbox = await scripted_system.load(A, OBEDIENT), await scripted_system.serve(INBOX, handler)
    with pytest.raises(GuestError, match="the handler failed: CancelledError"):
        await inbox.ask(b"cancel")
    assert (b"ok", b"x") == (await inbox.ask(b"x"), await echo.ask(b"x"))


@pytest.mark.parametrize("way", ["its time is over", "interrupt", "unload", "the system is left"])
async def test_a_handler_that_does_not_end_is_left_behind(
    way: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hears of no cancellation; its asker and whoever ends it do not wait for that."""
    monkeypatch.setattr(handling, "LEAVE_SECONDS", 0.05)
    release, begun = asyncio.Event(), asyncio.Event()

    async def handler(message: ComponentMessage) -> bytes | None:
        begun.set()
        while message.payload.data == b"block" and not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        return b"ok"

    try:
        async with ActorSystem(host=ScriptedHost(), stop_timeout=0.1) as system:
            limits = Limits(max_execution_time=0.05 if way == "its time is over" else 1e6)
            inbox = await system.serve(INBOX, handler, limits=limits)
            asking = asyncio.create_task(inbox.ask(b"block", timeout=None))
            await begun.wait()
            if way == "interrupt":
                await inbox.restart()
            elif way == "unload":
                parts = system._parts()
                unloading = asyncio.create_task(system.unload(inbox))
                await settle()
                parts.supervisor._children.kill(parts.registry.by_id(INBOX))  # as its grace period of 5 s does
                await unloading
            if way in {"its time is over", "interrupt"}:
                assert b"ok" == await inbox.ask(b"x", timeout=30)
        with pytest.raises(GuestError if way == "its time is over" else ActorStopped):
            await asking
        assert "does not end though it was cancelled" in caplog.text
    finally:
        release.set()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name().endswith(" handler")))


async def test_a_handler_that_answers_no_bytes_has_failed_and_lives_on(scripted_system: ActorSystem) -> None:
    """A str is no answer, nor is more than `max_payload_bytes`."""

    async def handler(message: ComponentMessage) -> bytes | None:
        return bytes(101) if message.payload.data == b"much" else "text"  # type: ignore[return-value]

    inbox = await scripted_system.serve(INBOX, handler, limits=Limits(max_payload_bytes=100))
    with pytest.raises(GuestError, match="the handler failed: TypeError"):
        await inbox.ask(b"x")
    with pytest.raises(GuestError, match="the handler failed: PayloadTooLarge"):
        await inbox.ask(b"much")


async def test_a_handler_that_takes_too_long_is_cancelled() -> None:
    """It answers err timeout; the next message is handled."""
    cancelled = []

    async def handler(message: ComponentMessage) -> bytes | None:
        try:
            await asyncio.sleep(3600 if message.payload.data == b"slow" else 0)
        except asyncio.CancelledError:
            cancelled.append(message.payload.data)
            raise
        return b"ok"

    async with ActorSystem(host=ScriptedHost()) as scripted_system:
        inbox = await scripted_system.serve(INBOX, handler, limits=Limits(max_execution_time=0.02))
        with pytest.raises(GuestError, match=r"^timeout$"):
            await inbox.ask(b"slow")
        assert ([b"slow"], b"ok") == (cancelled, await inbox.ask(b"x"))


async def test_interrupt_and_unload_cancel_the_handler(scripted_system: ActorSystem, manual_clock: ManualClock) -> None:
    """Each as for a component."""
    begun = asyncio.Event()

    async def handler(_message: ComponentMessage) -> bytes | None:
        begun.set()
        await asyncio.Event().wait()
        return None

    inbox = await scripted_system.serve(INBOX, handler)
    asking = asyncio.create_task(inbox.ask(b"x", timeout=1, interrupt=True))
    await begun.wait()
    await manual_clock.advance(1)
    with pytest.raises(RequestTimeout) as caught:
        await asking
    assert "interrupted" == caught.value.outcome
    begun.clear()
    asking = asyncio.create_task(inbox.ask(b"x", timeout=None))
    await begun.wait()
    unloading = asyncio.create_task(scripted_system.unload(inbox))
    await manual_clock.advance(5)
    await unloading
    with pytest.raises(ActorStopped):
        await asking


@pytest.mark.parametrize("first", ["the end", "the interrupt"])
async def test_what_a_handler_has_handled_is_not_interrupted(first: str) -> None:
    """Both in one turn: it has ended, and only nobody has noticed yet."""
    call, loop = handling.HandlerCall(INBOX), asyncio.get_running_loop()
    going_on: asyncio.Future[None] = loop.create_future()

    async def handler(_message: ComponentMessage) -> bytes:
        await going_on
        if first == "the end":
            loop.call_soon(call.interrupt)
        return b"done"

    answer = asyncio.create_task(call.run(handler, ComponentMessage(A, b""), 60.0))
    await settle()
    going_on.set_result(None)
    if first == "the interrupt":
        call.interrupt()
    assert b"done" == await answer


async def test_it_is_served_in_the_namespace_of_the_host_and_once(scripted_system: ActorSystem) -> None:
    """A component cannot take its place."""

    async def handler(_message: ComponentMessage) -> bytes | None:
        return None

    with pytest.raises(InvalidId, match="is not 'host'"):
        await scripted_system.serve(A, handler)
    inbox = await scripted_system.serve(INBOX, handler)
    with pytest.raises(AlreadyLoaded):
        await scripted_system.serve(INBOX, handler)
    await scripted_system.unload(inbox)
    assert await scripted_system.serve(INBOX, handler) == scripted_system.get(INBOX)


async def test_callbacks_go_to_their_own_handler(scripted_system: ActorSystem) -> None:
    """With the correlation id of the request; without such a handler they are dropped."""
    answers: list[tuple[str | None, bytes]] = []

    async def handler(_message: ComponentMessage) -> bytes | None:
        raise AssertionError

    async def on_callback(message: ComponentMessage) -> None:
        answers.append((message.metadata.correlation_id, message.payload.data))

    await scripted_system.load(A, OBEDIENT)
    await scripted_system.serve(INBOX, handler, on_callback=on_callback)
    silent = ComponentId("host", "tests", "silent")
    await scripted_system.serve(silent, handler)
    first = await scripted_system.request(INBOX, A, b"x")
    await scripted_system.request(silent, A, b"y")
    await settle()
    assert [(first, b"x")] == answers
