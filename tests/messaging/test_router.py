"""The staircase: authorise, stamp, resolve, offer; for host code and for guests."""

import asyncio
import time
from collections.abc import AsyncIterator

import attrs
import pytest

from airssys_wasm.actor.child import ChildSpec
from airssys_wasm.actor.supervisor import Supervisor
from airssys_wasm.core.errors import CapabilityDenied, MailboxFull, PayloadTooLarge, TargetNotFound
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage, MessagePayload
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.messaging.requests import Requests
from airssys_wasm.messaging.router import Router
from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.security.guard import Guard
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest, ScriptedHost
from airssys_wasm.testing.observer import RecordingObserver

HOST = ComponentId("host", "test", "0")
ONE, TWO, THREE = [ComponentId("demo", name, "0") for name in ("one", "two", "three")]
SMALL = Limits(mailbox_capacity=1, max_payload_bytes=100, send_wait=0.01)


@attrs.define(eq=False)
class Office:
    """A router with three components; what they got is in `got`."""

    router: Router
    guard: Guard
    supervisor: Supervisor
    host: ScriptedHost
    observer: RecordingObserver
    got: list[tuple[ComponentId, ComponentMessage]]

    def reasons(self) -> list[DeadLetterReason]:
        """Why messages were not handled."""
        return [letter.reason for letter in self.observer.dead_letters]


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    """Components one, two and three that remember, or wait when told to; nobody has a grant."""
    got: list[tuple[ComponentId, ComponentMessage]] = []

    async def on_message(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        got.append((guest.state.component_id, message))
        return await guest.pause() if message.payload.data == b"wait" else message.payload.data

    host, observer, guard = ScriptedHost(), RecordingObserver(), Guard()
    async with Supervisor(host, observer=observer) as supervisor:
        router = Router(
            HOST,
            guard,
            supervisor.registry,
            supervisor.delivery,
            Requests(supervisor.registry, supervisor.delivery),
            observer,
        )
        for id_ in (ONE, TWO, THREE):
            spec = ChildSpec(id=id_, compiled=Script(on_message=on_message), limits=SMALL, outbox=router, shutdown=0.01)
            await supervisor.start_child(spec)
        yield Office(router, guard, supervisor, host, observer, got)


async def test_host_code_is_stamped_as_the_host(office: Office) -> None:
    """Sender and reply-to are its address, the time is now, the content type as given."""
    before = time.time_ns() // 1_000_000
    child = office.supervisor.registry.by_id(ONE)
    assert b"x" == await office.router.ask(child, MessagePayload(b"x"), 5, "text/plain", interrupt=False)
    _, message = office.got[0]
    assert (HOST, b"x") == (message.sender, message.payload.data)
    assert (HOST, "text/plain") == (message.metadata.reply_to, message.metadata.content_type)
    assert before <= message.metadata.timestamp_ms <= time.time_ns() // 1_000_000


async def test_messages_of_one_millisecond_are_still_stamped_each_as_its_own(office: Office) -> None:
    """Another sender or content type never meets a stamp that is not its own."""
    office.guard.grant(TWO, Capabilities(send=["*"]))
    for content_type in (None, "a", None):
        await office.router.send(HOST, ONE, b"x", wait=None, content_type=content_type)
        await office.router.send(TWO, ONE, b"y", wait=1)
    await settle()
    stamps = [(message.sender, message.metadata.reply_to, message.metadata.content_type) for _, message in office.got]
    expected = [(sender, sender, kind) for kind in (None, "a", None) for sender, kind in ((HOST, kind), (TWO, None))]
    assert expected == stamps


async def test_a_guest_without_a_grant_reaches_nobody(office: Office) -> None:
    """Not even itself; the denied message is a dead letter and nobody gets it."""
    for target in (ONE, TWO):
        with pytest.raises(CapabilityDenied) as caught:
            await office.router.send(ONE, target, b"x", wait=1)
        assert caught.value.message is not None
    assert [DeadLetterReason.DENIED] * 2 == office.reasons()
    assert [] == office.got


async def test_denial_does_not_tell_whether_the_target_exists(office: Office) -> None:
    """The grant is asked for before anyone looks who is there."""
    unknown = ComponentId("demo", "unknown", "0")
    with pytest.raises(CapabilityDenied):
        await office.router.send(ONE, unknown, b"x", wait=1)
    office.guard.grant(ONE, Capabilities(send=["*"]))
    with pytest.raises(TargetNotFound):
        await office.router.send(ONE, unknown, b"x", wait=1)
    assert [DeadLetterReason.DENIED, DeadLetterReason.TARGET_NOT_FOUND] == office.reasons()


async def test_a_granted_send_arrives(office: Office) -> None:
    """From guest to guest, with the guest's own address."""
    office.guard.grant(ONE, Capabilities(send=["demo/two/*"]))
    await office.router.send(ONE, TWO, b"x", wait=1)
    await settle()
    assert [(TWO, ONE)] == [(target, message.sender) for target, message in office.got]


async def test_a_full_mailbox_is_waited_for_as_long_as_asked(office: Office) -> None:
    """Then MailboxFull; a message to oneself does not wait at all, or nobody could ever make room."""
    office.guard.grant(ONE, Capabilities(send=["*"]))
    for payload in (b"wait", b"fills"):
        await office.router.send(HOST, ONE, payload, wait=None)
        await settle()
    with pytest.raises(MailboxFull):
        await asyncio.wait_for(office.router.send(ONE, ONE, b"self", wait=60), 5)
    office.guard.grant(TWO, Capabilities(send=["*"]))
    with pytest.raises(MailboxFull):
        await office.router.send(TWO, ONE, b"other", wait=0.01)
    sending = asyncio.create_task(office.router.send(TWO, ONE, b"patient", wait=60))
    await settle()
    office.host.guests[0].resume()
    await sending
    await settle()
    assert [b"wait", b"fills", b"patient"] == [message.payload.data for _, message in office.got]


async def test_an_oversized_payload_is_refused(office: Office) -> None:
    """By the target's limit."""
    with pytest.raises(PayloadTooLarge):
        await office.router.send(HOST, ONE, bytes(101), wait=None)
    assert [DeadLetterReason.PAYLOAD_TOO_LARGE] == office.reasons()


async def test_broadcast_goes_on_past_failures(office: Office) -> None:
    """It says who did not get it; each is tried as what it is granted for."""
    office.guard.grant(ONE, Capabilities(broadcast=["demo/*"]))
    unknown = ComponentId("demo", "unknown", "0")
    failed = await office.router.broadcast(ONE, [unknown, TWO, ComponentId("x", "y", "z"), THREE], b"all", wait=1)
    await settle()
    assert [unknown, ComponentId("x", "y", "z")] == list(failed)
    assert [TWO, THREE] == [target for target, _ in office.got]


async def test_broadcast_shares_its_time_between_the_targets(office: Office) -> None:
    """A full target takes what is left; those behind it are still tried."""
    for payload in (b"wait", b"fills"):
        await office.router.send(HOST, TWO, payload, wait=None)
        await settle()
    office.guard.grant(ONE, Capabilities(broadcast=["*"]))
    assert [TWO, TWO] == await office.router.broadcast(ONE, [TWO, TWO, THREE], b"all", wait=0.02)
    await settle()
    assert THREE == office.got[-1][0]


async def test_a_broadcast_to_thousands_lets_others_run(office: Office) -> None:
    """Though it never has to wait, whether it is denied, finds nobody, or delivers."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    running = asyncio.create_task(other())
    for grant in (None, Capabilities(broadcast=["*"])):
        if grant is not None:
            office.guard.grant(ONE, grant)
        turns = 0
        targets = [ComponentId("demo", "unknown", str(number % 100)) for number in range(5000)]
        assert targets == list(await office.router.broadcast(ONE, targets, b"x", wait=1))
        assert turns > 3
    running.cancel()


async def test_reachable_lists_whom_the_sender_may_send_to(office: Office) -> None:
    """In the order of their loads."""
    assert [] == await office.router.reachable(ONE)
    office.guard.grant(ONE, Capabilities(send=["demo/two/0", "demo/one/0"]))
    assert [ONE, TWO] == await office.router.reachable(ONE)
    assert [ONE, TWO, THREE] == await office.router.reachable(HOST)
