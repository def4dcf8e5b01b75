"""Messages that are not worth handling any more, and requests that a mailbox's policy refuses or drops."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable

import attrs
import pytest

from airssys_wasm import (
    ActorHandle,
    ActorSystem,
    Capabilities,
    ComponentId,
    ComponentMessage,
    ConfigError,
    DeadLetter,
    DeadLetterReason,
    DeliveryError,
    Limits,
    MailboxFull,
    TargetNotFound,
)
from airssys_wasm.core.ports import Outbox
from airssys_wasm.system.events import Stream
from airssys_wasm.testing.clock import ManualClock, settle
from airssys_wasm.testing.guests import Script, ScriptedGuest, ScriptedHost

ASKER, TARGET = ComponentId("demo", "asker", "0"), ComponentId("demo", "target", "0")
ONE = Limits(mailbox_capacity=1)


@attrs.define(eq=False)
class Scene:
    """A guest that asks, and one that is busy until it is told to go on."""

    system: ActorSystem
    clock: ManualClock
    host: ScriptedHost
    letters: Stream[DeadLetter]
    handled: list[bytes] = attrs.field(factory=list)
    callbacks: list[ComponentMessage] = attrs.field(factory=list)
    busy: "asyncio.Task[bytes | None] | None" = None

    async def start(self, mailbox: str = "wait") -> ActorHandle:
        """The target is at its first message; the asker's messages are for the test to make."""
        self.host.scripts[b"asker"] = Script(on_callback=self._on_callback)
        self.host.scripts[b"target"] = Script(on_message=self._on_message)
        await self.system.load(ASKER, b"asker", capabilities=Capabilities(send=("*",)))
        target = await self.system.load(TARGET, b"target", limits=ONE, mailbox=mailbox)
        self.busy = asyncio.create_task(target.ask(b"first", timeout=None))
        await self.host.until_paused()
        return target

    @property
    def asker(self) -> ScriptedGuest:
        """The instance that makes requests."""
        return self.host.guests[0]

    @property
    def outbox(self) -> Outbox:
        """As its host functions have it."""
        assert self.asker.state.outbox is not None
        return self.asker.state.outbox

    async def request(self, payload: bytes, timeout: float = 60.0) -> str:
        """As the guest would."""
        return await self.outbox.request(self.asker.state, TARGET, payload, timeout=timeout)

    async def go_on(self) -> None:
        """The target ends its first message, and takes what waits."""
        self.host.guests[1].resume()
        assert self.busy is not None
        await self.busy
        await settle()

    def dead(self) -> list[tuple[bytes, DeadLetterReason]]:
        """What has died since the last look."""
        letters = iter(self.letters.get_nowait, None)
        return [(letter.message.payload.data, letter.reason) for letter in letters if letter is not None]

    def told(self) -> list[tuple[str | None, object]]:
        """The callbacks of the asker: the request, and the error's case or the answer."""
        return [(one.metadata.correlation_id, _content(one)) for one in self.callbacks]

    async def _on_message(self, guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        if message.payload.data == b"first":
            return await guest.pause()
        self.handled.append(message.payload.data)
        return b"answer"

    async def _on_callback(self, _guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        self.callbacks.append(message)
        return None


def _content(message: ComponentMessage) -> object:
    data = message.payload.data
    return json.loads(data)["error"] if data.startswith(b"{") else data


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """On a clock that stands still."""
    clock = ManualClock()
    host = ScriptedHost(clock=clock)
    async with ActorSystem(host=host, clock=clock) as system:
        yield Scene(system, clock, host, system.dead_letters())
        for guest in host.live:
            guest.resume()


async def test_a_request_whose_time_is_over_before_it_began_is_not_run(scene: Scene) -> None:
    """One callback, timeout; one dead letter, expired, at once."""
    await scene.start()
    request = await scene.request(b"late", timeout=1.0)
    await scene.clock.advance(1.0)
    assert [(b"late", DeadLetterReason.EXPIRED)] == scene.dead()
    await scene.go_on()
    assert ([], [(request, "timeout")]) == (scene.handled, scene.told())


async def test_a_request_that_is_cancelled_before_it_began_is_not_run(scene: Scene) -> None:
    """No callback; one dead letter, withdrawn; its room is free at once."""
    await scene.start("reject")
    request = await scene.request(b"cancelled")
    scene.outbox.cancel_request(scene.asker.state, request)
    assert [(b"cancelled", DeadLetterReason.WITHDRAWN)] == scene.dead()
    other = await scene.request(b"other")
    await scene.go_on()
    assert ([b"other"], [(other, b"answer")]) == (scene.handled, scene.told())


async def test_a_request_of_an_instance_that_has_ended_is_not_run(scene: Scene) -> None:
    """Nobody would hear of it."""
    await scene.start()
    await scene.request(b"orphan")
    handle = scene.system.get(ASKER)
    assert handle is not None
    await handle.restart()
    assert [(b"orphan", DeadLetterReason.WITHDRAWN)] == scene.dead()
    await scene.go_on()
    assert ([], []) == (scene.handled, scene.told())


async def test_under_reject_a_guest_gets_queue_full_and_no_callback(scene: Scene) -> None:
    """At once, for send and request alike."""
    await scene.start("reject")
    await scene.request(b"fills")
    refused: list[Awaitable[object]] = [
        scene.outbox.send(ASKER, TARGET, b"sent", wait=60.0),
        scene.request(b"requested"),
    ]
    for sending in refused:
        with pytest.raises(MailboxFull):
            await sending
    expected = [(b"sent", DeadLetterReason.MAILBOX_FULL), (b"requested", DeadLetterReason.MAILBOX_FULL)]
    assert expected == scene.dead()
    await scene.go_on()
    assert ([b"fills"], 1) == (scene.handled, len(scene.told()))


@pytest.mark.parametrize(
    ("policy", "dropped", "reason"),
    [
        ("drop-oldest", b"one", DeadLetterReason.DROPPED_OLDEST),
        ("drop-newest", b"two", DeadLetterReason.DROPPED_NEWEST),
    ],
)
async def test_a_request_that_is_dropped_has_its_one_callback(
    scene: Scene, policy: str, dropped: bytes, reason: DeadLetterReason
) -> None:
    """It was accepted; the callback says resource-limit-exceeded."""
    await scene.start(policy)
    ids = {payload: await scene.request(payload) for payload in (b"one", b"two")}
    await settle()
    assert [(ids[dropped], "resource-limit-exceeded")] == scene.told()
    assert [(dropped, reason)] == scene.dead()
    await scene.go_on()
    kept = b"one" if dropped == b"two" else b"two"
    assert ([kept], (ids[kept], b"answer")) == (scene.handled, scene.told()[-1])


@pytest.mark.parametrize("timeout", [0.0, 2.0])
async def test_a_tell_whose_time_is_over_when_its_turn_comes_is_not_run(scene: Scene, timeout: float) -> None:
    """Its sender has gone on long ago; the dead letters say expired."""
    target = await scene.start()
    await target.tell(b"late", timeout=timeout)
    await scene.clock.advance(timeout)
    assert [] == scene.dead()
    await scene.go_on()
    await target.tell(b"in time", timeout=2.0)
    await settle()
    assert ([b"in time"], [(b"late", DeadLetterReason.EXPIRED)]) == (scene.handled, scene.dead())


async def test_a_tell_waits_for_room_no_longer_than_its_time(scene: Scene) -> None:
    """Then it is refused; `send` by address the same, `tell_nowait` at once."""
    target = await scene.start()
    target.tell_nowait(b"fills", timeout=60.0)
    for sending in (target.tell(b"told", timeout=0.01), scene.system.send(None, TARGET, b"sent", timeout=0.01)):
        with pytest.raises(MailboxFull):
            await sending
    assert [(b"told", DeadLetterReason.MAILBOX_FULL), (b"sent", DeadLetterReason.MAILBOX_FULL)] == scene.dead()
    await scene.go_on()
    assert [b"fills"] == scene.handled


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1", 10**400])
async def test_a_time_that_is_none_is_refused(scene: Scene, timeout: float) -> None:
    """As for an ask."""
    target = await scene.start()
    with pytest.raises(ConfigError, match="timeout"):
        await target.tell(b"x", timeout=timeout)
    with pytest.raises(ConfigError, match="timeout"):
        target.tell_nowait(b"x", timeout=timeout)
    assert [] == scene.dead()


async def test_a_request_for_a_component_that_is_not_there_is_a_dead_letter(scene: Scene) -> None:
    """Whoever makes it in its name hears why, and gets the message back."""
    await scene.start()
    nobody = ComponentId("demo", "nobody", "0")
    with pytest.raises(TargetNotFound) as caught:
        await scene.system.request(nobody, TARGET, b"lost")
    assert caught.value.message is not None
    assert [(b"lost", DeadLetterReason.REQUESTER_GONE)] == scene.dead()


async def test_too_many_requests_are_dead_letters(scene: Scene) -> None:
    """With a reason of their own: it is not the target's mailbox that is full."""
    scene.host.scripts[b"few"] = Script()
    few = ComponentId("demo", "few", "0")
    await scene.start()
    await scene.system.load(
        few, b"few", capabilities=Capabilities(send=("*",)), limits=Limits(max_pending_requests=1, send_wait=0.01)
    )
    await scene.system.request(few, TARGET, b"one")
    with pytest.raises(DeliveryError):
        await scene.system.request(few, TARGET, b"two")
    assert [(b"two", DeadLetterReason.TOO_MANY_REQUESTS)] == scene.dead()
