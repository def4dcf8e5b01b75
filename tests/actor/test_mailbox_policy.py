"""A full mailbox under each policy, as an asker, a teller and the dead letters see it."""

import asyncio

import pytest

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.mailbox import Mailbox
from airssys_wasm.core.errors import ConfigError, MailboxFull, PayloadTooLarge
from airssys_wasm.core.keys import MAX_JSON_BYTES
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.mailboxes import MailboxPolicy, mailbox_policy
from airssys_wasm.core.messages import CONTENT_TYPE_FLUSH, ComponentMessage, MessageMetadata
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import HOST, Bench

TWO = Limits(mailbox_capacity=2)
BY_KEY = MailboxPolicy("latest-by-key", key="bytes:0:1")


async def _busy(bench: Bench, policy: MailboxPolicy | str) -> "tuple[Child, asyncio.Task[bytes | None], list[bytes]]":
    """A child at a message, with room for two more; what it handles later is listed."""
    handled: list[bytes] = []

    async def on_message(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        if message.payload.data == b"first":
            return await guest.pause()
        handled.append(message.payload.data)
        return message.payload.data

    child = await bench.start(script=Script(on_message=on_message), limits=TWO, mailbox=mailbox_policy(policy))
    first = bench.asking(child, b"first")
    await bench.host.until_paused()
    return child, first, handled


async def _go_on(bench: Bench, first: "asyncio.Task[bytes | None]") -> None:
    bench.guest().resume()
    await first
    await settle()


async def test_reject_refuses_asks_and_tells_at_once(bench: Bench) -> None:
    """Nobody waits; the refused are dead letters and their senders know."""
    child, first, handled = await _busy(bench, "reject")
    for payload in (b"a", b"b"):
        await bench.tell(child, payload)
    for refused in (bench.ask(child, b"c"), bench.tell(child, b"d")):
        with pytest.raises(MailboxFull) as caught:
            await refused
        assert "the mailbox of demo/a/0 is full" == str(caught.value)
    await _go_on(bench, first)
    assert [b"a", b"b"] == handled
    assert [(b"c", DeadLetterReason.MAILBOX_FULL), (b"d", DeadLetterReason.MAILBOX_FULL)] == bench.letters()
    assert 0 == child.statistics().dropped


@pytest.mark.parametrize(
    ("policy", "handled", "lost", "reason"),
    [
        ("drop-oldest", [b"b2", b"a3"], [b"a1"], DeadLetterReason.DROPPED_OLDEST),
        ("drop-newest", [b"a1", b"b2"], [b"a3"], DeadLetterReason.DROPPED_NEWEST),
        (BY_KEY, [b"a3", b"b2"], [b"a1"], DeadLetterReason.SUPERSEDED),
    ],
    ids=["drop-oldest", "drop-newest", "latest-by-key"],
)
@pytest.mark.parametrize("asked", [True, False])
async def test_what_is_dropped_ends_once_for_its_asker_and_in_the_dead_letters(  # noqa: PLR0917
    bench: Bench, policy: MailboxPolicy, handled: list[bytes], lost: list[bytes], reason: DeadLetterReason, asked: bool
) -> None:
    """A teller goes on; an asker gets MailboxFull with the rule and its message; the others are handled."""
    child, first, seen = await _busy(bench, policy)
    payloads = [b"a1", b"b2", b"a3"]
    asking = [bench.asking(child, payload, 60.0) for payload in payloads] if asked else []
    for payload in [] if asked else payloads:
        await bench.tell(child, payload)
    await settle()
    await _go_on(bench, first)
    assert handled == seen
    assert [(payload, reason) for payload in lost] == bench.letters()
    assert len(lost) == child.statistics().dropped
    for payload, ask in zip(payloads, asking, strict=False):
        error = ask.exception()
        if payload in lost:
            assert isinstance(error, MailboxFull)
            assert (mailbox_policy(policy).rule, payload) == (error.rule, error.message and error.message.payload.data)
        else:
            assert (None, payload) == (error, ask.result())


async def test_a_new_key_waits_for_room(bench: Bench) -> None:
    """Only what replaces a message needs no room of its own; a message without a key neither replaces nor is."""
    child, first, handled = await _busy(bench, BY_KEY)
    await bench.tell(child, b"")
    await bench.tell(child, b"")
    waiting = bench.asking(child, b"c1")
    await settle()
    assert 1 == child.mailbox.statistics().senders_waiting
    await _go_on(bench, first)
    assert b"c1" == await waiting
    assert ([b"", b"", b"c1"], []) == (handled, bench.letters())


async def test_a_payload_whose_json_is_too_long_for_a_key_is_refused(bench: Bench) -> None:
    """It would be read on the event loop; without a key, or with one at a fixed place, it is taken."""
    child, first, handled = await _busy(bench, MailboxPolicy("latest-by-key", key="json:id"))
    fits, larger = (b'"%s"' % (b"x" * (size - 2)) for size in (MAX_JSON_BYTES, MAX_JSON_BYTES + 1))
    await bench.tell(child, fits)
    with pytest.raises(PayloadTooLarge) as caught:
        await bench.tell(child, larger)
    assert MAX_JSON_BYTES == caught.value.max_payload_bytes
    await _go_on(bench, first)
    assert [fits] == handled
    assert [(larger, DeadLetterReason.PAYLOAD_TOO_LARGE)] == bench.letters()


async def test_drop_oldest_makes_room_by_bytes(bench: Bench) -> None:
    """As many go as it takes."""
    child = await bench.start(limits=Limits(mailbox_bytes=10), mailbox=mailbox_policy("drop-oldest"))
    first = bench.asking(child, b"wait")
    await bench.host.until_paused()
    for payload in (b"aaaa", b"bbbb", b"cccccccc"):
        await bench.tell(child, payload)
    assert (1, 8) == (child.mailbox.statistics().waiting, child.mailbox.statistics().waiting_bytes)
    assert [b"aaaa", b"bbbb"] == [payload for payload, _ in bench.letters()]
    await _go_on(bench, first)


@pytest.mark.parametrize("policy", ["reject", "drop-oldest", "drop-newest"])
async def test_no_policy_touches_the_runtimes_own_messages(bench: Bench, policy: str) -> None:
    """They get in, and stay in."""
    child, first, handled = await _busy(bench, policy)
    control = ComponentMessage(HOST, b"control", MessageMetadata(content_type=CONTENT_TYPE_FLUSH))
    await bench.tell(child, b"a")
    inside = asyncio.create_task(bench.supervisor.delivery.ask(child, control, None))
    await settle()
    late = asyncio.create_task(bench.supervisor.delivery.ask(child, control, None))
    await settle()
    for payload in (b"b", b"c", b"d"):
        if policy == "reject":
            with pytest.raises(MailboxFull):
                await bench.tell(child, payload)
        else:
            await bench.tell(child, payload)
    await _go_on(bench, first)
    assert [b"control", b"control"] == [await inside, await late]
    assert 2 == handled.count(b"control")
    assert b"control" not in [payload for payload, _ in bench.letters()]


async def test_asks_that_gave_up_do_not_fill_a_mailbox(bench: Bench) -> None:
    """Their room is free at once, and they are dead letters at once, whatever the guest is doing."""
    child, first, handled = await _busy(bench, "reject")
    given_up = [bench.asking(child, b"x", 1.0) for _ in range(2)]
    await bench.clock.advance(1.0)
    await asyncio.wait(given_up)
    assert [(b"x", DeadLetterReason.EXPIRED)] * 2 == bench.letters()
    await bench.tell(child, b"a")
    await _go_on(bench, first)
    assert [b"a"] == handled
    assert all(isinstance(asking.exception(), TimeoutError) for asking in given_up)


async def test_a_mailbox_that_drops_for_ever_stays_small(bench: Bench) -> None:
    """What is gone leaves no places behind."""
    child, first, handled = await _busy(bench, "drop-oldest")
    for number in range(1000):
        await bench.tell(child, b"%d" % number)
    assert 998 == len(bench.letters())
    assert isinstance(child.mailbox, Mailbox)
    assert child.mailbox._outlet.statistics().current_buffer_used < 100
    await _go_on(bench, first)
    assert [b"998", b"999"] == handled


@pytest.mark.parametrize(
    ("rule", "key", "text"),
    [
        ("drop", None, 'mailbox is not one of "wait", "reject", "drop-oldest", "drop-newest", "latest-by-key"'),
        (None, None, "mailbox is not one of"),
        ("latest-by-key", None, "key is missing for latest-by-key"),
        ("wait", "json:id", "key belongs to latest-by-key"),
        ("latest-by-key", "id", "key is neither"),
        ("latest-by-key", 1, "key is no str"),
    ],
)
def test_a_policy_that_is_none_is_refused(rule: str, key: str, text: str) -> None:
    """At construction, naming what is wrong."""
    with pytest.raises(ConfigError, match=text):
        MailboxPolicy(rule, key)
