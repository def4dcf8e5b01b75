"""Who waits for whom: shown, and refused where it would never end."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from airssys_wasm import (
    ActorHandle,
    ActorSystem,
    AskDeadlock,
    Capabilities,
    ComponentId,
    ComponentMessage,
    DeadLetterReason,
    Event,
    EventKind,
    Limits,
    MailboxFull,
    RequestTimeout,
    RoomDeadlock,
    Wait,
)
from airssys_wasm.runtime.wit import messaging_error
from airssys_wasm.system.events import Stream
from airssys_wasm.testing.clock import ManualClock, settle
from airssys_wasm.testing.guests import Script, ScriptedGuest, ScriptedHost

ONE = Limits(mailbox_capacity=1, send_wait=60.0)
HOST = ComponentId("host", "app", "0")


def guest_id(name: str) -> ComponentId:
    """A component's."""
    return ComponentId("demo", name, "0")


def host_id(name: str) -> ComponentId:
    """A handler's."""
    return ComponentId("host", "app", name)


async def _on_message(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
    """`send x` sends to x, as a guest does, and answers what came of it; `wait` waits."""
    verb, _, name = message.payload.data.decode().partition(" ")
    outbox, state = guest.state.outbox, guest.state
    if verb == "wait":
        return await guest.pause()
    if verb in {"send", "request"} and outbox is not None:
        try:
            if verb == "send":
                await outbox.send(state.component_id, guest_id(name), b"x", wait=state.limits.send_wait)
            else:
                await outbox.request(state, guest_id(name), b"x", timeout=100.0)
        except MailboxFull as exc:
            return messaging_error(exc)[0].encode()
    return b"sent"


SCRIPT = b"script"


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    """Of scripted guests on a clock that stands still."""
    clock = ManualClock()
    async with ActorSystem(host=ScriptedHost({SCRIPT: Script(on_message=_on_message)}, clock), clock=clock) as system:
        yield system


async def _load(system: ActorSystem, name: str) -> ActorHandle:
    return await system.load(guest_id(name), SCRIPT, capabilities=Capabilities(send=("*",)), limits=ONE)


def _rest(events: Stream[Event]) -> list[Event]:
    """What has happened by now."""
    return [event for event in iter(events.get_nowait, None) if event is not None]


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of rings; a slow machine makes asyncio speak, too."""
    return [record.getMessage() for record in caplog.records if record.name == "airssys_wasm.actor.waits"]


def _host(system: ActorSystem) -> ScriptedHost:
    host = system._given_host
    assert isinstance(host, ScriptedHost)
    return host


@pytest.mark.parametrize("verb", ["send", "request"])
async def test_the_guest_that_closes_a_ring_of_full_mailboxes_gets_queue_full_at_once(
    system: ActorSystem, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The others go on from there; log, event, statistics and dead letters name the ring."""
    handles = {name: await _load(system, name) for name in "abc"}
    letters, events = system.dead_letters(), system.events()
    paused = [asyncio.create_task(handle.ask(b"wait", timeout=None)) for handle in handles.values()]
    await _host(system).until_paused(3)
    for name, target in ("ab", "bc", "ca"):
        await handles[name].tell(f"{verb} {target}".encode())
    asking = {name: asyncio.create_task(handles[name].ask(b"x", timeout=None)) for name in "abc"}
    await settle()
    assert ["room"] * 3 == [wait.what for wait in system.waiting()]
    for guest in _host(system).guests:
        guest.resume()
    await asyncio.gather(*paused, *asking.values())
    assert 1 == system.statistics().deadlocks
    assert () == system.waiting()
    letter = letters.get_nowait()
    assert letter is not None
    assert (DeadLetterReason.DEADLOCK, b"x") == (letter.reason, letter.message.payload.data)
    assert isinstance(letter.error, RoomDeadlock)
    ring = letter.error.ring
    assert (4, 3, True) == (len(ring), len(set(ring)), ring[0] == ring[-1])
    assert [ring] == [event.ring for event in _rest(events) if event.kind is EventKind.DEADLOCK]
    text = " -> ".join(map(str, ring))
    assert [f"{text} wait for each other; the last one is refused"] == _told(caplog)


async def test_a_chain_that_does_not_close_is_waited_for(system: ActorSystem) -> None:
    """A waits for room at B, which waits for room at C, which is busy: all go on when it has finished."""
    handles = {name: await _load(system, name) for name in "abc"}
    busy = asyncio.create_task(handles["c"].ask(b"wait", timeout=None))
    await _host(system).until_paused()
    await handles["c"].tell(b"x")
    second = asyncio.create_task(handles["b"].ask(b"send c", timeout=None))
    await settle()
    await handles["b"].tell(b"x")
    first = asyncio.create_task(handles["a"].ask(b"send b", timeout=None))
    await settle()
    expected = [Wait(guest_id("b"), guest_id("c"), "room", 0.0), Wait(guest_id("a"), guest_id("b"), "room", 0.0)]
    assert expected == list(system.waiting())
    _host(system).guests[2].resume()
    assert (None, b"sent", b"sent") == tuple(await asyncio.gather(busy, second, first))
    assert 0 == system.statistics().deadlocks


async def test_host_code_that_waits_is_listed_and_never_refused(system: ActorSystem) -> None:
    """Nobody waits for it; an ask is listed until it has room, a tell too."""
    handle = await _load(system, "a")
    busy = asyncio.create_task(handle.ask(b"wait", timeout=None))
    await _host(system).until_paused()
    await handle.tell(b"x")
    waiting = [asyncio.create_task(handle.ask(b"x")), asyncio.create_task(handle.tell(b"x"))]
    await settle()
    assert [Wait(HOST, guest_id("a"), "room", 0.0)] * 2 == list(system.waiting())
    waiting[1].cancel()
    _host(system).guests[0].resume()
    await asyncio.wait([busy, *waiting])
    assert (b"sent", True, ()) == (waiting[0].result(), waiting[1].cancelled(), system.waiting())


async def test_a_handler_that_asks_itself_is_refused(system: ActorSystem) -> None:
    """At once, and it can go on; the next message is handled."""

    async def handler(message: ComponentMessage) -> bytes:
        with pytest.raises(AskDeadlock) as caught:
            await inbox.ask(message.payload)
        refused = caught.value.message
        assert ("withdrawn", message.payload) == (caught.value.outcome, refused and refused.payload)
        return str(caught.value).encode()

    inbox = await system.serve(host_id("inbox"), handler)
    text = b"waiting for host/app/inbox would never end: host/app/inbox -> host/app/inbox"
    assert [text, text] == [await inbox.ask(b"1"), await inbox.ask(b"2")]
    assert (2, 2) == (system.statistics().deadlocks, system.statistics().dead_letters[DeadLetterReason.DEADLOCK])


@pytest.mark.parametrize("timeout", [None, 5.0])
async def test_handlers_that_ask_each_other_are_refused_where_the_ring_closes(
    system: ActorSystem, timeout: float | None
) -> None:
    """The innermost ask ends, and the answers come back from there."""
    names = ["x", "y", "z"]

    async def handler(message: ComponentMessage) -> bytes:
        place = names.index(message.payload.data.decode())
        try:
            answer = await handles[(place + 1) % 3].ask(names[(place + 1) % 3].encode(), timeout=timeout)
        except RequestTimeout as exc:
            ring = exc.ring if isinstance(exc, AskDeadlock) else ()
            return " ".join(id_.instance for id_ in ring).encode()
        return b"%s %s" % (message.payload.data, answer)

    handles = [await system.serve(host_id(name), handler) for name in names]
    assert b"x y z x y z" == await handles[0].ask(b"x", timeout=None)
    assert () == system.waiting()


async def test_a_handler_that_asks_a_guest_that_sends_to_it(system: ActorSystem) -> None:
    """The handler's mailbox is full and it waits for the guest: the guest is refused."""

    async def handler(message: ComponentMessage) -> bytes | None:
        return await guest.ask(b"send back", timeout=None) if message.payload.data == b"go" else None

    inbox = await system.serve(host_id("inbox"), handler, limits=ONE)

    async def on_message(sender: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        outbox, state = sender.state.outbox, sender.state
        assert outbox is not None
        with pytest.raises(RoomDeadlock):
            await outbox.send(state.component_id, inbox.id, b"x", wait=60.0)
        return message.payload.data

    _host(system).scripts[b"back"] = Script(on_message=on_message)
    guest = await system.load(guest_id("g"), b"back", capabilities=Capabilities(send=("*",)))
    asking = asyncio.create_task(inbox.ask(b"go", timeout=None))
    await asyncio.sleep(0)
    await inbox.tell(b"fills")
    assert b"send back" == await asking


async def test_a_ring_through_tasks_of_a_handler_is_told_but_not_refused(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """It may wait for them or not; here it does, until the timeout."""
    caplog.set_level(logging.WARNING, "airssys_wasm.actor.waits")

    async def handler(_message: ComponentMessage) -> bytes:
        results = await asyncio.gather(inbox.ask(b"x", timeout=1.0), return_exceptions=True)
        return type(results[0]).__name__.encode()

    inbox = await system.serve(host_id("inbox"), handler)
    asking = asyncio.create_task(inbox.ask(b"go", timeout=None))
    await settle()
    assert [Wait(inbox.id, inbox.id, "answer", 0.0)] == list(system.waiting())
    clock = system._parts().supervisor.clock
    assert isinstance(clock, ManualClock)
    await clock.advance(1.0)
    assert b"RequestTimeout" == await asking
    assert ["host/app/inbox -> host/app/inbox perhaps wait for each other"] == _told(caplog)


async def test_a_task_that_outlives_its_message_is_nobodys_wait(system: ActorSystem) -> None:
    """The handler has answered: what it left running blocks nobody."""
    left: list[asyncio.Task[bytes | None]] = []
    done = asyncio.Event()

    async def later() -> bytes | None:
        await done.wait()
        return await inbox.ask(b"later")

    async def handler(message: ComponentMessage) -> bytes:
        if message.payload.data == b"start":
            left.append(asyncio.create_task(later()))
        return message.payload.data

    inbox = await system.serve(host_id("inbox"), handler)
    assert b"start" == await inbox.ask(b"start")
    done.set()
    assert b"later" == await left[0]
    assert 0 == system.statistics().deadlocks


async def test_a_ring_that_forms_again_is_counted_and_told_once(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """Until a minute has passed."""

    async def handler(_message: ComponentMessage) -> bytes:
        with pytest.raises(AskDeadlock):
            await inbox.ask(b"again")
        return b""

    inbox = await system.serve(host_id("inbox"), handler)
    clock = system._parts().supervisor.clock
    assert isinstance(clock, ManualClock)
    for seconds, told in ((0, 1), (59, 1), (1, 2)):
        await clock.advance(seconds)
        await inbox.ask(b"x")
        assert told == len(_told(caplog))
    assert 3 == system.statistics().deadlocks
