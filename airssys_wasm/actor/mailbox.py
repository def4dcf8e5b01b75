"""An actor's mailbox: signals first, then messages in the order in which they were offered."""

import asyncio
import math
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar, final

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from airssys_wasm.actor.doorstep import Doorstep
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.shelves import Latest, Oldest
from airssys_wasm.core.errors import ActorStopped, MailboxFull
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.mailboxes import MailboxPolicy, MailboxRule
from airssys_wasm.core.observations import DeadLetterReason, MailboxStatistics

Signal = TypeVar("Signal")

MOST_EMPTY_PLACES: Final = 64
"""Places of messages that are gone: once there are more, and more than messages, they are cleared away."""


@final
@attrs.define(eq=False)
class Mailbox(Generic[Signal]):
    """What waits for one actor; made and used on the loop's own thread.

    Messages lie in an anyio memory channel, which is made with the first of them. The actor takes them without waiting;
    when there is nothing it waits for a future of its own that the next offer completes, a doorbell, which costs a
    third of the channel's `receive()`.

    | a message | when |
    |---|---|
    | fits | fewer than `capacity` messages wait, and with it no more than `max_bytes` payload bytes |
    | fits always | nothing waits: one larger than `max_bytes` could otherwise never be delivered |
    | waits outside, first come first served | it does not fit, or others wait outside |
    | is refused, dropped, or has others dropped | it does not fit, and the policy says so; `on_drop` is told which |

    Signals have room always. So have callbacks, which keep their place in the order: their number is bounded where
    requests are made, so that a full mailbox never keeps an answer out. Drops that are given up have it like callbacks.
    `close` is not optional: an anyio channel that is collected unclosed warns.
    """

    component: ComponentId
    capacity: int
    max_bytes: int
    policy: MailboxPolicy = attrs.field(default=MailboxPolicy())
    on_drop: Callable[[Envelope, DeadLetterReason], object] = attrs.field(default=lambda *_: None)
    _inlet: MemoryObjectSendStream[Envelope] | None = attrs.field(default=None, init=False)
    _outlet: MemoryObjectReceiveStream[Envelope] = attrs.field(init=False)
    _signals: tuple[Signal, ...] = attrs.field(default=(), init=False)
    _outside: Doorstep | None = attrs.field(default=None, init=False)
    _shelf: Latest | Oldest | None = attrs.field(default=None, init=False)
    _waiting: int = attrs.field(default=0, init=False)
    _waiting_bytes: int = attrs.field(default=0, init=False)
    callbacks_waiting: int = attrs.field(default=0, init=False)
    _empty_places: int = attrs.field(default=0, init=False)
    _bell: "asyncio.Future[None] | None" = attrs.field(default=None, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _reason: ExitReason | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if self.policy.key is not None:
            self._shelf = Latest(self.policy.key)
        elif self.policy.rule is MailboxRule.DROP_OLDEST:
            self._shelf = Oldest()

    async def offer(self, envelope: Envelope, wait: float | None) -> None:
        """Put a message in, after those who came earlier; does not yield when there is room.

        Args:
            envelope: the message.
            wait: seconds to wait for room, None without limit; 0 is `offer_nowait`, and so is a policy without waiting.

        Raises:
            MailboxFull: There was no room in time.
            ActorStopped: The mailbox is closed, or was closed while waiting.

        Cancellation: the message is not in the mailbox, unless it has been taken. If it was not in yet, its room goes
        to the next sender.
        """
        if self.accepts(envelope):
            return
        if (wait is not None and wait <= 0) or not self.policy.waits:
            self.offer_nowait(envelope)
            return
        if self._outside is None:
            self._outside = Doorstep(self._fits, self._accept, self.discard)
        if not await self._outside.wait(envelope, wait):
            raise self._stopped(envelope) if self._closed else MailboxFull(self.component, envelope.message)

    def accepts(self, envelope: Envelope) -> bool:
        """Put a message in if it fits and nobody waits for room; raises ActorStopped when the mailbox is closed."""
        if self._outside or (self._waiting and not self._fits(envelope)):
            return False
        self._accept(envelope)
        return True

    def offer_nowait(self, envelope: Envelope) -> None:
        """Put a message in now, or do what the policy says of one that does not fit.

        Raises:
            MailboxFull: It does not fit, or earlier senders wait for room.
            ActorStopped: The mailbox is closed.
        """
        if not self.accepts(envelope) and self._made_room_for(envelope):
            self._accept(envelope)

    def put_signal(self, signal: Signal) -> None:
        """Put a signal before all messages, behind earlier signals; ignored once the mailbox is closed."""
        if not self._closed:
            self._signals += (signal,)
            self._ring()

    def put_callback(self, envelope: Envelope) -> bool:
        """Put a callback in, whatever waits; False once the mailbox is closed."""
        if self._closed:
            return False
        self._put(envelope)
        envelope.inside = envelope.reserved = True
        self.callbacks_waiting += 1
        self._ring()
        return True

    @property
    def is_waited_at(self) -> bool:
        """Whether the actor waits for something to take, and nothing has come since, not even an order or the end."""
        return self._bell is not None and not self._bell.done()

    def keeps_out(self, envelope: Envelope) -> bool:
        """Whether a message waits for room."""
        return bool(self._outside and envelope in self._outside.rooms)

    def take_nowait(self) -> Signal | Envelope | None:
        """Take what is next, None when there is nothing; the room goes to senders that wait, as many as fit."""
        if self._signals:
            signal, self._signals = self._signals[0], self._signals[1:]
            return signal
        if not (self._waiting or self.callbacks_waiting):
            return None
        envelope = self._outlet.receive_nowait()
        if self._shelf is not None or self._empty_places:
            envelope = self._first_from(envelope)
        envelope.inside = False
        if envelope.reserved:
            self.callbacks_waiting -= 1
            return envelope
        self._waiting -= 1
        self._waiting_bytes -= envelope.size
        if self._outside:
            self._outside.admit()
        return envelope

    def discard(self, envelope: Envelope) -> bool:
        """Take a message out before its turn; its room goes to senders that wait. False when it is not in."""
        if self._closed or not envelope.inside:
            return False
        envelope.inside = False
        self._empty_places += 1
        if self._shelf is not None:
            self._shelf.forget(envelope)
        if envelope.reserved:
            self.callbacks_waiting -= 1
        else:
            self._waiting -= 1
            self._waiting_bytes -= envelope.size
        if self._empty_places > max(MOST_EMPTY_PLACES, self._waiting + self.callbacks_waiting):
            self._clear_away()
        if self._outside:
            self._outside.admit()
        return True

    def wait(self) -> "asyncio.Future[None]":
        """A doorbell, for one task at a time: done as soon as there may be something to take, or never will be.

        Raises:
            ActorStopped: The mailbox is closed and empty.
            RuntimeError: Another task is waiting.

        Cancellation: nothing is lost; what came meanwhile is there for the next `take_nowait`.
        """
        if self._bell is not None and not self._bell.done():
            raise RuntimeError(f"two tasks wait at the mailbox of {self.component}")
        has_any = self._signals or self._waiting or self.callbacks_waiting
        if self._closed and not has_any:
            raise ActorStopped(self.component, self._reason)
        self._bell = asyncio.get_running_loop().create_future()
        if has_any:
            self._bell.set_result(None)
        return self._bell

    def close(self, reason: ExitReason | None = None) -> Iterator[Envelope]:
        """Refuse everything from now on; senders that wait get `ActorStopped` with the reason.

        Returns:
            The messages that were in, in order, for the caller to take and to answer; none when it was closed already.
        """
        if self._closed:
            return iter(())
        self._closed, self._reason, count = True, reason, self._waiting + self.callbacks_waiting
        self._waiting = self._waiting_bytes = self.callbacks_waiting = 0
        if self._inlet is not None:
            self._inlet.close()
            if not count:
                self._outlet.close()
        if self._outside:
            self._outside.refuse_all()
        self._ring()
        return self._left(count) if count else iter(())

    def statistics(self) -> MailboxStatistics:
        """A snapshot; signals and callbacks are not counted."""
        outside = len(self._outside or ())
        return MailboxStatistics(self._waiting, self._waiting_bytes, self.capacity, self.max_bytes, outside)

    def _fits(self, envelope: Envelope) -> bool:
        waiting, used = self._waiting, self._waiting_bytes
        if not waiting or (waiting < self.capacity and used + envelope.size <= self.max_bytes):
            return True
        older = None if self._shelf is None else self._shelf.replaced_by(envelope)
        return older is not None and (waiting == 1 or used - older.size + envelope.size <= self.max_bytes)

    def _made_room_for(self, envelope: Envelope) -> bool:
        """By the policy, for a message that does not fit: whether it goes in after all."""
        if self.policy.waits or (self.policy.rule is MailboxRule.REJECT and not envelope.exempt):
            raise MailboxFull(self.component, envelope.message)
        if envelope.exempt:
            self.put_callback(envelope)
            return False
        if self._shelf is None:
            self.on_drop(envelope, DeadLetterReason.DROPPED_NEWEST)
            return False
        while not self._fits(envelope) and (oldest := self._shelf.oldest()) is not None:
            self.discard(oldest)
            self.on_drop(oldest, DeadLetterReason.DROPPED_OLDEST)
        return True

    def _accept(self, envelope: Envelope) -> None:
        if self._closed:
            raise self._stopped(envelope)
        if self._shelf is not None:
            older = self._shelf.put(envelope)
            if older is not None:
                self._replace(older, envelope)
                return
        self._put(envelope)
        envelope.inside = True
        self._waiting += 1
        self._waiting_bytes += envelope.size
        if self._bell is not None:
            self._ring()

    def _put(self, envelope: Envelope) -> None:
        if self._inlet is None:
            self._inlet, self._outlet = anyio.create_memory_object_stream(math.inf)
        self._inlet.send_nowait(envelope)

    def _replace(self, older: Envelope, newer: Envelope) -> None:
        older.inside, newer.inside = False, True
        self._waiting_bytes += newer.size - older.size
        self.on_drop(older, DeadLetterReason.SUPERSEDED)

    def _first_from(self, place: Envelope) -> Envelope:
        """The first message, from this place on, which has just come out of the channel; there is one."""
        while not (envelope := place if self._shelf is None else self._shelf.take(place)).inside:
            self._empty_places -= 1
            place = self._outlet.receive_nowait()
        return envelope

    def _left(self, count: int) -> Iterator[Envelope]:
        """What a closed mailbox holds; nothing else is taken out of it, not even its empty places."""
        for _ in range(count):
            yield self._first_from(self._outlet.receive_nowait())
        self._outlet.close()

    def _clear_away(self) -> None:
        """Leave no empty place."""
        count = self._waiting + self.callbacks_waiting
        messages = [self._first_from(self._outlet.receive_nowait()) for _ in range(count)]
        for _ in range(self._empty_places):
            place = self._outlet.receive_nowait()
            if self._shelf is not None:
                self._shelf.take(place)
        self._empty_places = 0
        for envelope in messages:
            if self._shelf is not None:
                self._shelf.put(envelope)
            self._put(envelope)

    def _stopped(self, envelope: Envelope) -> ActorStopped:
        return ActorStopped(self.component, self._reason, envelope.message)

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)
