import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.mailbox import Mailbox
from airssys_wasm.core.errors import ActorStopped, MailboxFull
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import MailboxStatistics

OWNER = ComponentId("demo", "owner", "0")
SENDER = ComponentId("demo", "sender", "0")


def _envelope(size: int = 1) -> Envelope:
    return Envelope(ComponentMessage(SENDER, b"x" * size))


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def _started(work: Awaitable[Any]) -> "asyncio.Future[Any]":
    """A task that has come to where it waits."""
    task = asyncio.create_task(asyncio.wait_for(work, None))
    await _settle()
    return task


def _take_all(mailbox: Mailbox[str]) -> list[object]:
    return list(iter(mailbox.take_nowait, None))


@pytest.fixture
async def small() -> AsyncIterator[Mailbox[str]]:
    """Room for two messages, ten bytes."""
    mailbox = Mailbox[str](OWNER, capacity=2, max_bytes=10)
    yield mailbox
    list(mailbox.close())


async def test_messages_come_out_in_the_order_they_went_in(small: Mailbox[str]) -> None:
    """The very envelopes, then nothing."""
    first, second = _envelope(), _envelope()
    small.offer_nowait(first)
    await small.offer(second, None)
    assert [first, second, None] == [small.take_nowait() for _ in range(3)]


async def test_signals_come_before_messages_and_always_have_room(small: Mailbox[str]) -> None:
    """A stop does not wait behind a queue, and is not refused by a full one."""
    messages = [_envelope(), _envelope()]
    for message in messages:
        small.offer_nowait(message)
    for number in range(100):
        small.put_signal(str(number))
    assert [*map(str, range(100)), *messages] == _take_all(small)


@pytest.mark.parametrize(("sizes", "room"), [([1], True), ([1, 1], False), ([4, 6], False), ([10], False), ([9], True)])
async def test_room_is_bounded_by_count_and_by_bytes(small: Mailbox[str], sizes: list[int], room: bool) -> None:
    """The refusal hands the message back and names whose mailbox it was."""
    for size in sizes:
        small.offer_nowait(_envelope(size))
    last = _envelope()
    if room:
        small.offer_nowait(last)
        return
    with pytest.raises(MailboxFull, match="the mailbox of demo/owner/0 is full") as caught:
        small.offer_nowait(last)
    assert (OWNER, last.message) == (caught.value.component, caught.value.message)


async def test_a_message_over_the_byte_bound_is_taken_when_nothing_waits(small: Mailbox[str]) -> None:
    """Otherwise it could never be delivered."""
    large = _envelope(1000)
    small.offer_nowait(large)
    with pytest.raises(MailboxFull):
        small.offer_nowait(_envelope(0))
    assert large is small.take_nowait()
    small.offer_nowait(_envelope(10))
    with pytest.raises(MailboxFull):
        small.offer_nowait(large)


async def test_room_is_counted_when_a_message_is_taken(small: Mailbox[str]) -> None:
    """Statistics say what waits, and nothing is left over."""
    small.offer_nowait(_envelope(3))
    small.offer_nowait(_envelope(4))
    assert MailboxStatistics(2, 7, capacity=2, capacity_bytes=10, senders_waiting=0) == small.statistics()
    _take_all(small)
    assert MailboxStatistics(0, 0, capacity=2, capacity_bytes=10, senders_waiting=0) == small.statistics()


async def test_freed_room_lets_in_as_many_waiting_senders_as_fit(small: Mailbox[str]) -> None:
    """In their order: a small one does not pass a large one."""
    large = _envelope(10)
    small.offer_nowait(large)
    outside = [_envelope(4), _envelope(4), _envelope(9)]
    tasks = [await _started(small.offer(envelope, None)) for envelope in outside]
    assert 3 == small.statistics().senders_waiting
    assert large is small.take_nowait()
    await _settle()
    assert [True, True, False] == [task.done() for task in tasks]
    assert outside == _take_all(small)
    await asyncio.gather(*tasks)


async def test_nowait_offers_do_not_overtake_waiting_senders(small: Mailbox[str]) -> None:
    """Although they would fit: else a stream of small messages starves a large one."""
    small.offer_nowait(_envelope(6))
    waiting = await _started(small.offer(_envelope(6), None))
    with pytest.raises(MailboxFull):
        small.offer_nowait(_envelope(1))
    small.take_nowait()
    await waiting


@pytest.mark.parametrize("wait", [0, -1.0, 0.001])
async def test_waiting_for_room_ends_in_time(small: Mailbox[str], wait: float) -> None:
    """Zero does not wait; afterwards nobody waits any more."""
    small.offer_nowait(_envelope(10))
    late = _envelope()
    with pytest.raises(MailboxFull) as caught:
        await small.offer(late, wait)
    assert caught.value.message is late.message
    assert 0 == small.statistics().senders_waiting
    assert 1 == len(_take_all(small))


async def test_a_sender_that_is_let_in_leaves_no_timer_behind(small: Mailbox[str]) -> None:
    """A busy mailbox would gather one for each message."""
    small.offer_nowait(_envelope(10))
    waiting = await _started(small.offer(_envelope(), 1000))
    small.take_nowait()
    await waiting
    loop = asyncio.get_running_loop()
    assert not [
        timer for timer in vars(loop)["_scheduled"] if not timer.cancelled() and timer.when() > loop.time() + 500
    ]


async def test_a_sender_that_gives_up_hands_its_place_on(small: Mailbox[str]) -> None:
    """The next one may fit where the first did not."""
    small.offer_nowait(_envelope(6))
    large = await _started(small.offer(_envelope(6), None))
    fitting = _envelope(2)
    behind = await _started(small.offer(fitting, None))
    large.cancel()
    await behind
    assert large.cancelled()
    assert fitting is _take_all(small)[-1]


async def test_room_freed_in_the_turn_of_a_cancellation_is_not_lost(small: Mailbox[str]) -> None:
    """The cancelled sender has not run yet; the one behind it gets the room."""
    small.offer_nowait(_envelope(10))
    cancelled = await _started(small.offer(gone := _envelope(10), None))
    behind = await _started(small.offer(kept := _envelope(10), None))
    cancelled.cancel()
    small.take_nowait()
    await behind
    assert cancelled.cancelled()
    assert ([kept], False) == (_take_all(small), gone.inside)


async def test_a_sender_cancelled_after_it_was_let_in_takes_its_message_out(small: Mailbox[str]) -> None:
    """Its task had not gone on yet; nobody gets the message."""
    small.offer_nowait(_envelope(10))
    late = _envelope()
    task = await _started(small.offer(late, None))
    small.take_nowait()
    task.cancel()
    await _settle()
    assert task.cancelled()
    assert (False, []) == (late.inside, _take_all(small))


async def test_a_message_that_has_been_taken_is_not_taken_out(small: Mailbox[str]) -> None:
    """The cancellation came too late, and says nothing false."""
    small.offer_nowait(_envelope(10))
    late = _envelope()
    task = await _started(small.offer(late, None))
    small.take_nowait()
    assert late is small.take_nowait()
    task.cancel()
    await _settle()
    assert (True, False) == (task.cancelled(), small.discard(late))


async def test_whoever_waits_is_woken_by_what_comes(small: Mailbox[str]) -> None:
    """A message, a signal, or the end; to wait after that is an error."""
    comes: list[Callable[[], None]] = [lambda: small.offer_nowait(_envelope()), lambda: small.put_signal("stop")]
    for come in comes:
        waiting = await _started(small.wait())
        assert not waiting.done()
        come()
        await waiting
        _take_all(small)
    waiting = await _started(small.wait())
    list(small.close())
    await waiting
    with pytest.raises(ActorStopped):
        await small.wait()


async def test_a_wake_up_survives_the_cancellation_of_who_waits(small: Mailbox[str]) -> None:
    """Cancelled in the same turn, before or after the message came: the next wait returns."""
    for cancel_first in (True, False):
        waiting = await _started(small.wait())
        if cancel_first:
            waiting.cancel()
        small.offer_nowait(_envelope())
        waiting.cancel()
        await _settle()
        assert waiting.cancelled()
        await asyncio.wait_for(small.wait(), 1)
        assert 1 == len(_take_all(small))


async def test_one_that_is_woken_for_what_is_taken_meanwhile_can_wait_again(small: Mailbox[str]) -> None:
    """The doorbell has rung; that there is nothing after all is no reason to look all the time."""
    waiting = await _started(small.wait())
    small.offer_nowait(_envelope())
    small.take_nowait()
    await waiting
    again = await _started(small.wait())
    assert not again.done()
    small.put_signal("something")
    await again


async def test_only_one_task_waits(small: Mailbox[str]) -> None:
    """A mailbox has one actor; a second one is a bug that says so."""
    waiting = await _started(small.wait())
    with pytest.raises(RuntimeError, match="two tasks wait at the mailbox of demo/owner/0"):
        await small.wait()
    small.put_signal("stop")
    await waiting


async def test_closing_gives_back_what_waits_and_refuses_the_rest(small: Mailbox[str]) -> None:
    """Senders inside the bound are the caller's to answer, senders outside get the reason."""
    reason = ExitReason(ExitKind.STOPPED, "unloaded")
    inside = [_envelope(), _envelope()]
    for envelope in inside:
        small.offer_nowait(envelope)
    outside = await _started(small.offer(late := _envelope(), 5))
    assert inside == list(small.close(reason))
    assert MailboxStatistics(0, 0, capacity=2, capacity_bytes=10, senders_waiting=0) == small.statistics()
    with pytest.raises(ActorStopped, match="demo/owner/0 has stopped: stopped: unloaded") as caught:
        await outside
    assert (reason, late.message) == (caught.value.reason, caught.value.message)
    assert [] == list(small.close())


async def test_a_closed_mailbox_refuses_every_offer(small: Mailbox[str]) -> None:
    """With the message; the channel's own error does not show."""
    list(small.close())
    message = _envelope(1000)
    with pytest.raises(ActorStopped) as caught:
        small.offer_nowait(message)
    assert (message.message, None) == (caught.value.message, caught.value.__cause__)
    with pytest.raises(ActorStopped):
        await small.offer(message, None)
    with pytest.raises(ActorStopped):
        await small.wait()
    small.put_signal("too late")
    assert None is small.take_nowait()


async def test_signals_that_came_before_the_end_are_still_taken(small: Mailbox[str]) -> None:
    """Closing does not swallow a signal."""
    small.put_signal("stop")
    list(small.close())
    await small.wait()
    assert "stop" == small.take_nowait()


async def test_a_closed_mailbox_is_collected_without_a_warning() -> None:
    """Both ends of the channel are closed."""
    mailbox = Mailbox[str](OWNER, 1, 1)
    mailbox.offer_nowait(_envelope())
    list(mailbox.close())
    del mailbox
    gc.collect()


async def test_an_unclosed_mailbox_warns() -> None:
    """Which is why closing is not optional, once there was a message."""
    mailbox = Mailbox[str](OWNER, 1, 1)
    mailbox.offer_nowait(_envelope())
    with pytest.warns(ResourceWarning, match="MemoryObject"):
        del mailbox
