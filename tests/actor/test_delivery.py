"""What becomes of an ask or a tell that is given up, refused, or waits: at every stage of its way."""

import asyncio

import pytest

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.delivery import MOST_IDLE_LANES
from airssys_wasm.core.errors import (
    ActorStopped,
    ConfigError,
    DeliveryError,
    MailboxFull,
    PayloadTooLarge,
    RequestTimeout,
)
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import ActorState, DeadLetterReason
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import HOST, Bench

SMALL = Limits(mailbox_capacity=1, max_payload_bytes=100)


async def _busy(bench: Bench, *, full: bool = False) -> "tuple[Child, asyncio.Task[bytes | None]]":
    """A child at a message until the test lets it go on, its mailbox full if wanted."""
    child = await bench.start(limits=SMALL)
    asking = bench.asking(child, b"wait")
    await bench.host.until_paused()
    if full:
        await bench.tell(child, b"fills")
    return child, asking


async def _ended(asking: "asyncio.Task[bytes | None]") -> RequestTimeout:
    with pytest.raises(RequestTimeout) as caught:
        await asking
    return caught.value


async def test_a_timeout_in_the_mailbox_withdraws(bench: Bench) -> None:
    """It had not started and never will."""
    child, first = await _busy(bench)
    asking = bench.asking(child, b"count", 2.0)
    await bench.clock.advance(2.0)
    error = await _ended(asking)
    assert ("withdrawn", 2.0, b"count") == (error.outcome, error.timeout, error.message and error.message.payload.data)
    bench.guest().resume()
    await first
    assert b"1" == await bench.ask(child, b"count")
    assert [(b"count", DeadLetterReason.EXPIRED)] == bench.letters()


async def test_a_timeout_while_the_guest_is_at_it_leaves_it_running(bench: Bench) -> None:
    """It goes on, its answer is dropped, the instance keeps what it knows."""
    child = await bench.start()
    await bench.ask(child, b"count")
    asking = bench.asking(child, b"wait", 2.0)
    await bench.clock.advance(2.0)
    assert "running" == (await _ended(asking)).outcome
    bench.guest().resume()
    assert b"2" == await bench.ask(child, b"count")
    assert (3, []) == (child.handled, bench.letters())


async def test_a_timeout_that_interrupts_costs_the_instance(bench: Bench) -> None:
    """At once, not counted; the next message meets a new instance."""
    child = await bench.start()
    for _ in range(5):
        asking = bench.asking(child, b"hang", 2.0, interrupt=True)
        await bench.host.until_paused(bench.host.pauses + 1)
        await bench.clock.advance(2.0)
        assert "interrupted" == (await _ended(asking)).outcome
        assert b"1" == await bench.ask(child, b"count")
    assert (5, 0, ActorState.RUNNING) == (child.restarts, child.crashes, child.state)
    assert [(b"hang", DeadLetterReason.INTERRUPTED)] * 5 == bench.letters()


async def test_interrupt_of_a_message_that_waits_only_withdraws_it(bench: Bench) -> None:
    """The message that is in progress is somebody else's."""
    child, first = await _busy(bench)
    asking = bench.asking(child, b"hang", 2.0, interrupt=True)
    await bench.clock.advance(2.0)
    assert "withdrawn" == (await _ended(asking)).outcome
    bench.guest().resume(b"mine")
    assert b"mine" == await first
    assert 0 == child.restarts


async def test_a_timeout_while_waiting_for_room_withdraws(bench: Bench) -> None:
    """Room is part of the time, and its place goes to the next."""
    child, first = await _busy(bench, full=True)
    asking, next_one = bench.asking(child, b"given up", 2.0), bench.asking(child, b"count")
    await bench.clock.advance(2.0)
    assert "withdrawn" == (await _ended(asking)).outcome
    bench.guest().resume()
    await first
    assert b"1" == await next_one
    assert [(b"given up", DeadLetterReason.EXPIRED)] == bench.letters()


@pytest.mark.parametrize("stage", ["room", "mailbox", "guest", "interrupt", "answered"])
async def test_cancelling_means_the_same_at_every_stage(bench: Bench, stage: str) -> None:
    """Each message ends once: handled, or as a dead letter; nothing hangs and no exception goes unseen."""
    child, first = await _busy(bench, full=stage == "room")
    if stage in {"guest", "interrupt", "answered"}:
        bench.guest().resume()
        await first
    asking = bench.asking(child, b"wait", 60, interrupt=stage == "interrupt")
    await settle()
    if stage == "answered":
        bench.guest().resume(b"late")
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await settle()
    for guest in bench.host.live:
        guest.resume()
    await settle()
    assert b"1" == await bench.ask(child, b"count")
    reasons = [reason for _, reason in bench.letters()]
    expected = {"room": ["withdrawn"], "mailbox": ["withdrawn"], "interrupt": ["interrupted"]}.get(stage, [])
    assert expected == reasons
    assert int(stage == "interrupt") == child.restarts
    handled = child.handled + len(reasons)
    assert (4 if stage == "room" else 3) == handled


@pytest.mark.parametrize("interrupt", [False, True])
async def test_cancelling_as_the_guest_gets_what_waited_for_room(bench: Bench, *, interrupt: bool) -> None:
    """Its task has not noticed yet that it was let in: with `interrupt` the guest is stopped all the same."""

    async def on_message(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        if message.payload.data == b"mine":
            asking.cancel()
        return None if message.payload.data == b"fills" else await guest.pause()

    child = await bench.start(script=Script(on_message=on_message), limits=SMALL)
    first = bench.asking(child, b"wait")
    await bench.host.until_paused()
    await bench.tell(child, b"fills")
    asking = bench.asking(child, b"mine", interrupt=interrupt)
    await settle()
    bench.guest().resume()
    await asyncio.wait([first, asking])
    await settle()
    assert (True, int(interrupt)) == (asking.cancelled(), child.restarts)
    assert [(b"mine", DeadLetterReason.INTERRUPTED)] * interrupt == bench.letters()
    bench.guest().resume()


async def test_a_cancelled_tell_that_waits_for_room_is_a_dead_letter(bench: Bench) -> None:
    """It was never accepted, and that is not kept silent."""
    child, first = await _busy(bench, full=True)
    telling = asyncio.create_task(bench.tell(child, b"told"))
    await settle()
    telling.cancel()
    await settle()
    assert [(b"told", DeadLetterReason.WITHDRAWN)] == bench.letters()
    bench.guest().resume()
    await first


async def test_ask_and_tell_wait_for_room_tell_nowait_does_not(bench: Bench) -> None:
    """Those that wait get in first come, first served."""
    child, first = await _busy(bench, full=True)
    with pytest.raises(MailboxFull) as caught:
        bench.supervisor.delivery.tell_nowait(child, ComponentMessage(HOST, b"now"))
    assert caught.value.message == ComponentMessage(HOST, b"now")
    telling, asking = asyncio.create_task(bench.tell(child, b"told")), bench.asking(child, b"asked")
    await settle()
    assert not telling.done()
    bench.guest().resume()
    await asyncio.gather(first, telling)
    assert b"asked" == await asking
    assert [(b"now", DeadLetterReason.MAILBOX_FULL)] == bench.letters()


async def test_who_waits_for_room_hears_of_a_stop(bench: Bench) -> None:
    """Asks and tells alike."""
    child, first = await _busy(bench, full=True)
    waiting = [bench.asking(child, b"asked"), asyncio.create_task(bench.tell(child, b"told"))]
    await settle()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [ActorStopped, ActorStopped] == [type(end) for end in ends]
    bench.guest().resume()
    await asyncio.gather(first, stopping)
    assert sorted([b"fills", b"asked", b"told"]) == sorted(payload for payload, _ in bench.letters())


async def test_an_ask_that_expires_as_the_mailbox_closes_ends_once(bench: Bench) -> None:
    """Of the two ends nobody hears the second, not even the log."""
    child, first = await _busy(bench, full=True)
    asking = bench.asking(child, b"asked", 2.0)
    await settle()
    child.close_mailbox(ExitReason(ExitKind.STOPPED))
    asked = next(iter(bench.supervisor.delivery._lanes[2.0].asks))
    asked.expire()
    assert "withdrawn" == (await _ended(asking)).outcome
    assert (b"asked", DeadLetterReason.EXPIRED) in bench.letters()
    bench.guest().resume()
    await first
    assert not asked.reply._log_traceback


async def test_a_payload_over_the_limit_is_refused_before_it_is_queued(bench: Bench) -> None:
    """The target's limit decides; the message comes back."""
    child = await bench.start(limits=SMALL)
    for offer in (bench.ask, bench.tell):
        with pytest.raises(PayloadTooLarge) as caught:
            await offer(child, bytes(101))
        assert (101, 100) == (caught.value.payload_bytes, caught.value.max_payload_bytes)
    assert bytes(100) == await bench.ask(child, bytes(100))
    assert [DeadLetterReason.PAYLOAD_TOO_LARGE] * 2 == [reason for _, reason in bench.letters()]


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1", -0.5, 10**400])
async def test_a_timeout_that_is_no_number_of_seconds_is_refused(bench: Bench, timeout: float) -> None:
    """NaN too, and what no float can hold."""
    child = await bench.start()
    with pytest.raises(ConfigError, match="timeout"):
        await bench.ask(child, b"x", timeout)


async def test_infinity_and_none_wait_without_limit(bench: Bench) -> None:
    """And leave no timer."""
    child = await bench.start(limits=Limits(max_execution_time=1e6))
    asking = [bench.asking(child, b"sleep 1000", timeout) for timeout in (None, float("inf"))]
    await bench.clock.advance(2000)
    assert [b"sleep 1000"] * 2 == await asyncio.gather(*asking)


async def test_each_ask_of_a_lane_has_its_own_deadline(bench: Bench) -> None:
    """Asks share a timer by their timeout, not a deadline."""
    child, first = await _busy(bench)
    capacity_is_one = [bench.asking(child, b"a", 10.0)]
    await bench.clock.advance(4)
    capacity_is_one.append(bench.asking(child, b"b", 10.0))
    await bench.clock.advance(5.9)
    assert [False, False] == [asking.done() for asking in capacity_is_one]
    await bench.clock.advance(0.2)
    assert [True, False] == [asking.done() for asking in capacity_is_one]
    await bench.clock.advance(4)
    assert ["withdrawn"] * 2 == [(await _ended(asking)).outcome for asking in capacity_is_one]
    bench.guest().resume()
    await first
    await bench.clock.advance(20)
    assert [] == bench.clock.pending, "an empty lane has no timer"


async def test_asks_with_ever_other_timeouts_leave_few_timers(bench: Bench) -> None:
    """As of a caller that passes on what is left until its own deadline."""
    child = await bench.start()
    for number in range(1000):
        await bench.ask(child, b"x", 3600 + number)
    assert MOST_IDLE_LANES >= len(bench.clock.pending)


async def test_ten_senders_keep_their_order_through_a_small_mailbox(bench: Bench) -> None:
    """1,000 messages, first in first out per sender; the guest sometimes waits, so the mailbox is often full."""
    seen: list[bytes] = []

    async def on_message(_guest: ScriptedGuest, message: ComponentMessage) -> bytes:
        seen.append(message.payload.data)
        if len(seen) % 7 == 0:
            await asyncio.sleep(0)
        return message.payload.data

    child = await bench.start(script=Script(on_message=on_message), limits=Limits(mailbox_capacity=3))

    async def send(sender: int) -> None:
        for number in range(100):
            payload = b"%d %d" % (sender, number)
            if number % 3:
                await bench.tell(child, payload)
            else:
                assert payload == await bench.ask(child, payload, 60)

    await asyncio.gather(*map(send, range(10)))
    await bench.ask(child, b"10 end")
    for sender in range(10):
        mine = [
            int(payload.split()[1]) for payload in seen if payload.startswith(b"%d " % sender) and b"end" not in payload
        ]
        assert list(range(100)) == mine


async def test_every_refusal_has_its_dead_letter_reason(bench: Bench) -> None:
    """After a stop nothing is accepted."""
    child = await bench.start()
    await bench.supervisor.stop_child(child)
    for offer in (bench.ask, bench.tell):
        with pytest.raises(DeliveryError):
            await offer(child, b"late")
    assert [(b"late", DeadLetterReason.ACTOR_STOPPED)] * 2 == bench.letters()
