"""How a message gets into a mailbox, and what its sender hears of it.

| an ask whose time is over, or whose task is cancelled | it is | outcome |
|---|---|---|
| waits for room, or in the mailbox | withdrawn: it never runs | withdrawn |
| is with the guest | left to its own deadline, its answer dropped | running |
| is with the guest, `interrupt=True` | stopped together with the instance | interrupted |

Asks are many and mostly end long before their time, so they have no timer of their own: those with the same timeout
are due in the order in which they came, and share one.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, final

import anyio
import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.core.calls import Invocation
from airssys_wasm.core.errors import (
    ActorStopped,
    ConfigError,
    DeliveryError,
    MailboxFull,
    Outcome,
    PayloadTooLarge,
    RequestTimeout,
)
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import DeadLetter, DeadLetterReason, Observer
from airssys_wasm.core.ports import Clock, Timer

MOST_IDLE_LANES: Final = 64
"""Lanes without an ask that may wait for their timer: a caller whose every timeout differs does not leave one each."""

REFUSED: Final[Mapping[type[DeliveryError], DeadLetterReason]] = {
    ActorStopped: DeadLetterReason.ACTOR_STOPPED,
    MailboxFull: DeadLetterReason.MAILBOX_FULL,
    PayloadTooLarge: DeadLetterReason.PAYLOAD_TOO_LARGE,
}


@final
@attrs.define(eq=False, repr=False)
class Asked:
    """An ask under way: whom, what, and what is to happen when its time is over."""

    child: Child
    envelope: Envelope
    reply: "asyncio.Future[Any]"
    due: float
    timeout: float | None
    interrupt: bool
    room: anyio.CancelScope | None = None
    """Where it waits for room in the mailbox, while it does."""

    def give_up(self) -> Outcome:
        """Nobody waits for the answer any more."""
        envelope = self.envelope
        if not envelope.started:
            if self.room is not None:
                self.room.cancel()
            else:
                envelope.withdrawn = True
            return "withdrawn"
        actor = self.child.actor
        if self.interrupt and actor is not None and actor.interrupt(envelope):
            return "interrupted"
        return "running"

    def expire(self) -> None:
        """End the ask with `RequestTimeout`, unless it has just ended."""
        if not self.reply.done():
            outcome, timeout = self.give_up(), self.timeout or 0.0
            self.reply.set_exception(RequestTimeout(self.child.id, timeout, outcome, self.envelope.message))

    def abandon(self) -> None:
        """Its task was cancelled: give up, or drop what came at the same moment and nobody will look at."""
        if self.reply.cancelled():
            self.give_up()
        elif self.reply.done():
            self.reply.exception()
        elif self.envelope.started:  # let in and begun before its task, which waited for room, could go on
            self.reply.cancel()
            self.give_up()


@final
@attrs.define(eq=False, repr=False)
class Lane:
    """The asks with one timeout. The first is due first, so one timer does for all, and moves on when it rings."""

    clock: Clock
    on_empty: Callable[[], object]
    timer: Timer | None = attrs.field(default=None, init=False)
    asks: dict[Asked, None] = attrs.field(factory=dict, init=False)

    def ring_at(self, when: float) -> None:
        """Look again at that time, before which no ask of this lane is due."""
        self.timer = self.clock.call_at(when, self.ring)

    def ring(self) -> None:
        """End what is due and wait for the next one."""
        now = self.clock.time()
        for asked in list(self.asks):
            if asked.due > now:
                self.ring_at(asked.due)
                return
            del self.asks[asked]
            asked.expire()
        self.on_empty()

    def close(self) -> None:
        """Forget the timer, of a lane that has one."""
        if self.timer is not None:
            self.timer.cancel()
            self.on_empty()


@final
@attrs.define(eq=False, repr=False)
class Delivery:
    """Puts messages into mailboxes; each one that is refused goes to the dead letters and back to its sender."""

    clock: Clock
    observer: Observer
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop, init=False)
    _lanes: dict[float, Lane] = attrs.field(factory=dict, init=False)
    _undated: Lane = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._undated = Lane(self.clock, on_empty=lambda: None)

    async def ask(
        self,
        child: Child,
        message: ComponentMessage,
        timeout: float | None,
        *,
        interrupt: bool = False,
        callback: bool = False,
        invocation: Invocation | None = None,
    ) -> Any:
        """Have a message handled and wait for the answer; the table above says what a timeout leaves behind.

        Args:
            child: whose guest is to handle it.
            message: what it gets.
            timeout: seconds until `RequestTimeout`, room in the mailbox included; None without limit.
            interrupt: whether giving up stops a guest that is at it.
            callback: whether it goes to `handle-callback`, which answers nothing.
            invocation: the function to call instead.

        Raises:
            DeliveryError: It was refused, given up or lost; carries the message.
            GuestError: The guest answered err.

        Cancellation: as a timeout, without the exception.
        """
        reply: asyncio.Future[Any] = self._loop.create_future()
        envelope = Envelope(message, reply, callback, invocation=invocation)
        if timeout is None or timeout == math.inf:
            lane, due = self._undated, math.inf
        else:
            lane, due = self._lanes.get(timeout) or self._open_lane(timeout), self.clock.time() + timeout
        asked = Asked(child, envelope, reply, due, timeout, interrupt)
        lane.asks[asked] = None
        try:
            if not self._accepted(asked):
                await self._wait_for_room(asked)
            return await reply
        except asyncio.CancelledError:
            asked.abandon()
            raise
        finally:
            lane.asks.pop(asked, None)
            if not lane.asks and len(self._lanes) > MOST_IDLE_LANES:
                lane.close()

    async def tell(self, child: Child, message: ComponentMessage, wait: float | None) -> None:
        """Put a message in; when there is no room wait for it as many seconds, None without limit.

        Raises:
            DeliveryError: It was refused; carries the message.

        Cancellation: the message will not be handled, unless the guest has it already.
        """
        await self.offer(child, Envelope(message), wait)

    async def offer(self, child: Child, envelope: Envelope, wait: float | None) -> None:
        """Put an envelope in; see `tell`."""
        message = envelope.message
        try:
            self._check_size(child, envelope)
            await child.mailbox.offer(envelope, wait)
        except DeliveryError as exc:
            self._refused(child, message, exc)
            raise
        except asyncio.CancelledError:
            self._withdrawn(child, envelope)
            raise

    def tell_nowait(self, child: Child, message: ComponentMessage) -> None:
        """Put a message in now.

        Raises:
            DeliveryError: It was refused, `MailboxFull` when there is no room; carries the message.
        """
        envelope = Envelope(message)
        try:
            self._check_size(child, envelope)
            child.mailbox.offer_nowait(envelope)
        except DeliveryError as exc:
            self._refused(child, message, exc)
            raise

    def close(self) -> None:
        """Forget all timers; asks that still wait are for the mailboxes to end."""
        for lane in list(self._lanes.values()):
            lane.close()

    def _accepted(self, asked: Asked) -> bool:
        """Whether there was room for an ask."""
        child, envelope = asked.child, asked.envelope
        try:
            self._check_size(child, envelope)
            child.mailbox.offer_nowait(envelope)
        except MailboxFull:
            return False
        except DeliveryError as exc:
            self._refused(child, envelope.message, exc)
            raise
        return True

    async def _wait_for_room(self, asked: Asked) -> None:
        """Wait behind earlier senders; returns also when the ask has expired, its reply then says so."""
        envelope = asked.envelope
        with anyio.CancelScope() as asked.room:
            try:
                await asked.child.mailbox.offer(envelope, None)
            except ActorStopped as exc:
                self._refused(asked.child, envelope.message, exc)
                asked.abandon()  # it may have expired at the same moment: it ends once
                raise
            except asyncio.CancelledError:
                self._withdrawn(asked.child, envelope)
                raise
        asked.room = None
        if asked.reply.done() and not envelope.started:
            envelope.withdrawn = True

    def _open_lane(self, timeout: float) -> Lane:
        if not isinstance(timeout, int | float) or not timeout >= 0:
            raise ConfigError("timeout", timeout, "is not a number of seconds")
        lane = Lane(self.clock, lambda: self._lanes.pop(timeout, None))
        try:
            lane.ring_at(self.clock.time() + timeout)
        except OverflowError:  # an int that no float can hold
            raise ConfigError("timeout", timeout, "is not a number of seconds") from None
        self._lanes[timeout] = lane
        return lane

    def _check_size(self, child: Child, envelope: Envelope) -> None:
        size, most = envelope.size, child.spec.limits.max_payload_bytes
        if size > most:
            raise PayloadTooLarge(child.id, size, most, envelope.message)

    def _refused(self, child: Child, message: ComponentMessage, error: DeliveryError) -> None:
        self.observer.dead_letter(DeadLetter(child.id, message, REFUSED[type(error)], error))

    def _withdrawn(self, child: Child, envelope: Envelope) -> None:
        """Report a message whose sender was cancelled; one that was in by then is for the actor to report."""
        if not (envelope.withdrawn or envelope.started):
            child.lose(envelope, DeadLetterReason.WITHDRAWN)
