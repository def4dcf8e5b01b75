"""What host code sends by address: messages, requests, publications."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from airssys_wasm import (
    ActorHandle,
    ActorStopped,
    ActorSystem,
    Capabilities,
    CapabilityDenied,
    ComponentId,
    ComponentMessage,
    ConfigError,
    DeadLetterReason,
    ExitKind,
    ExitReason,
    Limits,
    MailboxFull,
    TargetNotFound,
)
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest, ScriptedHost
from airssys_wasm.testing.recorder import Recorder

A, B, C = (ComponentId("demo", name, "0") for name in "abc")
NOBODY = ComponentId("demo", "nobody", "0")
RECORDING = b"recording"
Got = list[tuple[str, ComponentMessage]]


@pytest.fixture
def got() -> Got:
    """What the components got, in order, callbacks too."""
    return []


@pytest.fixture
async def system(got: Got) -> AsyncIterator[ActorSystem]:
    """Components that remember; "wait" makes one wait, "trap" crash."""

    async def on_message(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        got.append((guest.state.component_id.name, message))
        return await guest.pause() if message.payload.data == b"wait" else message.payload.data

    host = ScriptedHost({RECORDING: Script(on_message=on_message, on_callback=on_message)})
    async with ActorSystem(host=host) as system:
        yield system


async def load(system: ActorSystem, id_: ComponentId, **settings: Any) -> ActorHandle:
    """One that remembers."""
    return await system.load(id_, RECORDING, **{"shutdown": "brutal"} | settings)


def names(got: Got) -> list[str]:
    """Who got something."""
    return [name for name, _ in got]


async def test_publishing_to_many_lets_others_run(system: ActorSystem, got: Got) -> None:
    """Though it never has to wait."""
    many = [ComponentId("demo", "many", str(number)) for number in range(500)]
    for id_ in many:
        await load(system, id_)
        await system.subscribe("all", id_)
    publishing = asyncio.create_task(system.publish("all", b"x"))
    turns = 0
    while not publishing.done():
        await asyncio.sleep(0)
        turns += 1
    await settle()
    assert (500, 500) == ((await publishing).delivered, len(got))
    assert turns > 3


async def test_send_is_from_the_host_or_speaks_for_a_component(system: ActorSystem, got: Got) -> None:
    """For a component with no more than its grants, whether it is loaded or not."""
    await load(system, A)
    await load(system, B, capabilities=Capabilities(send=["demo/a/*"]))
    await system.send(None, A, b"1", "text/plain")
    await system.send(ComponentId("host", "elsewhere", "0"), A, b"2")
    await system.send(B, A, b"3")
    await settle()
    senders = [(str(message.sender), message.metadata.content_type) for _, message in got]
    assert [("host/app/0", "text/plain"), ("host/elsewhere/0", None), ("demo/b/0", None)] == senders
    for sender in (A, NOBODY):
        with pytest.raises(CapabilityDenied):
            await system.send(sender, B, b"x")
    with pytest.raises(TargetNotFound):
        await system.send(None, NOBODY, b"x")


@pytest.mark.parametrize("content_type", ["application/x.airssys.flush", "application/x.airssys.", "\ud800", 1])
async def test_reserved_content_types_are_refused_everywhere(system: ActorSystem, got: Got, content_type: Any) -> None:
    """Before anything is sent."""
    handle = await load(system, A)
    await system.subscribe("x", A)
    calls = (
        system.send(None, A, b"x", content_type),
        system.request(A, A, b"x", content_type=content_type),
        system.publish("x", b"x", content_type),
        handle.ask(b"x", content_type=content_type),
        handle.tell(b"x", content_type=content_type),
    )
    for call in calls:
        with pytest.raises(ConfigError, match="content_type"):
            await call
    await settle()
    assert [] == got


async def test_a_request_is_answered_to_its_sender(system: ActorSystem, got: Got) -> None:
    """With no more than the sender's grants."""
    await load(system, A, capabilities=Capabilities(request=["demo/b/0"]))
    await load(system, B)
    correlation_id = await system.request(A, B, b"x")
    await settle()
    assert ["b", "a"] == names(got)
    assert [correlation_id] * 2 == [message.metadata.correlation_id for _, message in got]
    assert (A, B) == (got[0][1].metadata.reply_to, got[1][1].sender)
    with pytest.raises(CapabilityDenied):
        await system.request(B, A, b"x")
    assert 0 == len(system._parts().router.requests)


async def test_a_request_needs_a_sender_that_runs(system: ActorSystem) -> None:
    """Host code without an address has nobody to be called back."""
    handle = await load(system, A, capabilities=Capabilities(send=["*"]))
    for sender in (NOBODY, ComponentId("host", "app", "0")):
        with pytest.raises(TargetNotFound):
            await system.request(sender, A, b"x")
    with pytest.raises(TargetNotFound):
        await system.request(A, NOBODY, b"x")
    await system.unload(handle)
    with pytest.raises(TargetNotFound):
        await system.request(A, A, b"x")


@pytest.mark.parametrize("timeout", [-1, float("nan"), "5", None, True, 10**400])
async def test_a_request_timeout_is_a_number_of_seconds(system: ActorSystem, timeout: Any) -> None:
    """Also no bool, and no None: a request always ends."""
    await load(system, A)
    with pytest.raises(ConfigError, match="timeout"):
        await system.request(A, A, b"x", timeout=timeout)


async def test_a_cancelled_request_is_taken_back(system: ActorSystem, got: Got) -> None:
    """While it waits for room: nobody gets it, nobody is called back."""
    await load(system, A, capabilities=Capabilities(send=["*"]), limits=Limits(send_wait=1e6))
    await load(system, B, limits=Limits(mailbox_capacity=1))
    for payload in (b"wait", b"fills"):
        await system.send(None, B, payload)
        await settle()
    requesting = asyncio.create_task(system.request(A, B, b"x", timeout=1e6))
    await settle()
    assert 1 == len(system._parts().router.requests)
    requesting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await requesting
    assert 0 == len(system._parts().router.requests)
    assert ["b"] == names(got)


async def test_a_publication_reaches_every_subscriber_once(system: ActorSystem, got: Got) -> None:
    """By wild cards too, in the order of their subscriptions, from the host, without a grant."""
    for id_ in (A, B, C):
        await load(system, id_)
    for topic, id_ in (("orders.*.new", C), ("orders.#", A), ("orders.eu.new", A), ("other", B)):
        await system.subscribe(topic, id_)
    published = await system.publish("orders.eu.new", b"x", "text/plain")
    await settle()
    assert (2, {}) == (published.delivered, published.failed)
    assert ["c", "a"] == names(got)
    assert {("host/app/0", "text/plain")} == {(str(m.sender), m.metadata.content_type) for _, m in got}
    assert (0, {}) == ((none := await system.publish("nobody.listens", b"x")).delivered, none.failed)


async def test_subscriptions_end_when_taken_back_or_with_the_component(system: ActorSystem, got: Got) -> None:
    """Who is loaded under the id later has none; taking back what is none is silent."""
    handle = await load(system, A)
    await load(system, B)
    for id_ in (A, B):
        await system.subscribe("x", id_)
    await system.unsubscribe("x", B)
    await system.unsubscribe("x", B)
    await system.unload(handle)
    await load(system, A)
    assert 0 == (await system.publish("x", b"x")).delivered
    with pytest.raises(TargetNotFound):
        await system.subscribe("x", NOBODY)
    assert [] == got


@pytest.mark.parametrize("topic", ["", "a..b", "a.#.b", "a*", 1])
async def test_what_is_no_topic_is_refused(system: ActorSystem, topic: Any) -> None:
    """By each of the three."""
    await load(system, A)
    for call in (system.subscribe(topic, A), system.unsubscribe(topic, A), system.publish(topic, b"x")):
        with pytest.raises(ConfigError):
            await call


async def test_a_publication_goes_on_past_full_and_failed_subscribers(system: ActorSystem, got: Got) -> None:
    """It says which did not get it and why; they are dead letters too."""
    recorder = Recorder(system)
    full = await load(system, A, limits=Limits(mailbox_capacity=1))
    for payload in (b"wait", b"fills"):
        await full.tell(payload)
        await settle()
    dead = await load(system, B)
    dead._child.close_mailbox(ExitReason(ExitKind.FAILED))
    await load(system, C)
    for id_ in (A, B, C):
        await system.subscribe("x", id_)
    published = await system.publish("x", b"news")
    await settle()
    assert 1 == published.delivered
    assert {A: MailboxFull, B: ActorStopped} == {id_: type(error) for id_, error in published.failed.items()}
    assert ["a", "c"] == names(got)
    expected = [(A, DeadLetterReason.MAILBOX_FULL), (B, DeadLetterReason.ACTOR_STOPPED)]
    assert expected == [(letter.target, letter.reason) for letter in recorder.dead_letters]
