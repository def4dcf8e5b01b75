"""How a message gets into a mailbox, and what its sender hears of it.

What does not fit goes by the policy of the mailbox (`core/mailboxes.py`); where senders wait:

| an ask whose time is over, or whose task is cancelled | it is | outcome |
|---|---|---|
| waits for room, or in the mailbox | withdrawn: it never runs | withdrawn |
| the same, to drop a resource | left there, or let in: it runs in its turn | running |
| is with the guest | left to its own deadline, its answer dropped | running |
| is with the guest, `interrupt=True` | stopped together with the instance | interrupted |
"""

import asyncio
import math
from collections.abc import Awaitable, Mapping
from typing import Any, Final, final

import anyio
import attrs

from airssys_wasm.actor.asks import Asked, Lane
from airssys_wasm.actor.child import Child
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.waits import AT_WORK, AtWork, Waits, at_work
from airssys_wasm.core.calls import Invocation
from airssys_wasm.core.deadlocks import AskDeadlock, RoomDeadlock
from airssys_wasm.core.errors import (
    ActorStopped,
    ConfigError,
    DeliveryError,
    MailboxFull,
    PayloadTooLarge,
)
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import DeadLetterReason, Observer
from airssys_wasm.core.ports import Clock

MOST_IDLE_LANES: Final = 64
"""Lanes without an ask that may wait for their timer: a caller whose every timeout differs does not leave one each."""

_NUMBERS: Final = (int, float)

REFUSED: Final[Mapping[type[DeliveryError], DeadLetterReason]] = {
    ActorStopped: DeadLetterReason.ACTOR_STOPPED,
    MailboxFull: DeadLetterReason.MAILBOX_FULL,
    PayloadTooLarge: DeadLetterReason.PAYLOAD_TOO_LARGE,
    AskDeadlock: DeadLetterReason.DEADLOCK,
    RoomDeadlock: DeadLetterReason.DEADLOCK,
}


@final
@attrs.define(eq=False, repr=False)
class Delivery:
    """Puts messages into mailboxes; each one that is refused goes to the dead letters and back to its sender."""

    clock: Clock
    observer: Observer
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop, init=False)
    _lanes: dict[float, Lane] = attrs.field(factory=dict, init=False)
    _undated: Lane = attrs.field(init=False)
    waits: Waits = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.waits = Waits(self.clock, self.observer)
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
        due = self._due(timeout)
        worthless_from = due if invocation is None or not invocation.drops else math.inf
        envelope = Envelope(message, None, callback, worthless_from, invocation=invocation)
        self._check_size(child, envelope)
        if child.mailbox.is_waited_at and child.actor is not None and timeout != 0 and not callback:
            answer = child.actor.begin(envelope)
            if answer is not None:
                return answer.value
        envelope.reply = reply = self._loop.create_future()
        return await self._answer_to(Asked(child, envelope, reply, due, timeout, interrupt))

    async def _answer_to(self, asked: Asked) -> Any:
        """Wait for room, unless it has begun already, and for the answer."""
        child, envelope = asked.child, asked.envelope
        handler, lane = AT_WORK.get() and at_work(), self._lane_of(asked)
        lane.asks[asked] = None
        try:
            if handler is not None:
                self._begin_wait(child, envelope, handler, answer=True)
            if not envelope.started and not self._accepted(asked):
                await self._wait_for_room(asked, handler)
            return await asked.reply
        except asyncio.CancelledError:
            asked.abandon()
            raise
        finally:
            lane.asks.pop(asked, None)
            if handler is not None:
                self.waits.end(envelope)
            if not lane.asks and len(self._lanes) > MOST_IDLE_LANES:
                lane.close()

    def tell(
        self,
        child: Child,
        message: ComponentMessage,
        wait: float | None,
        *,
        timeout: float | None = None,
        guest: ComponentId | None = None,
    ) -> Awaitable[None]:
        """Put a message in.

        Args:
            child: whose guest is to handle it.
            message: what it gets.
            wait: seconds to wait for room in the mailbox; None without limit.
            timeout: seconds from now on after which it is not worth starting, room included; None without limit. One
                that has not begun by then is a dead letter, found when its turn comes.
            guest: the component that can do nothing else meanwhile; None: host code.

        Raises:
            DeliveryError: It was refused; carries the message.

        Cancellation: the message will not be handled, unless the guest has it already.
        """
        if timeout is None:
            return self.offer(child, Envelope(message), wait, guest)
        envelope = Envelope(message, due=self._due(timeout))
        return self.offer(child, envelope, timeout if wait is None else min(wait, timeout), guest)

    async def offer(
        self, child: Child, envelope: Envelope, wait: float | None, guest: ComponentId | None = None
    ) -> None:
        """Put an envelope in; see `tell`."""
        self._check_size(child, envelope)
        try:
            if child.mailbox.accepts(envelope):
                return
            if child.spec.mailbox.waits and (wait is None or wait > 0):
                await self._offer_outside(child, envelope, wait, at_work() if guest is None else AtWork(guest))
            else:
                child.mailbox.offer_nowait(envelope)
        except DeliveryError as exc:
            self._refused(child, envelope, exc)
            raise

    def tell_nowait(self, child: Child, message: ComponentMessage, timeout: float | None = None) -> None:
        """Put a message in now; `timeout` as in `tell`.

        Raises:
            DeliveryError: It was refused, `MailboxFull` when there is no room; carries the message.
        """
        self._offer_nowait(child, Envelope(message, due=self._due(timeout)))

    def close(self) -> None:
        """Forget all timers; asks that still wait are for the mailboxes to end, but for those found to be late."""
        for lane in list(self._lanes.values()):
            lane.expire_lost()
            lane.close()

    def _offer_nowait(self, child: Child, envelope: Envelope) -> None:
        self._check_size(child, envelope)
        try:
            child.mailbox.offer_nowait(envelope)
        except DeliveryError as exc:
            self._refused(child, envelope, exc)
            raise

    async def _offer_outside(self, child: Child, envelope: Envelope, wait: float | None, who: AtWork | None) -> None:
        self._begin_wait(child, envelope, who)
        try:
            await child.mailbox.offer(envelope, wait)
        except asyncio.CancelledError:
            child.withdraw(envelope, DeadLetterReason.WITHDRAWN)
            raise
        finally:
            self.waits.end(envelope)

    def _begin_wait(self, child: Child, envelope: Envelope, who: AtWork | None, *, answer: bool = False) -> None:
        """Raises AskDeadlock or RoomDeadlock, and the message is a dead letter, if it would never end."""
        ring = self.waits.begin(child, envelope, who, answer=answer)
        if ring:
            error = (AskDeadlock if answer else RoomDeadlock)(child.id, ring, envelope.message)
            self._refused(child, envelope, error)
            raise error

    def _accepted(self, asked: Asked) -> bool:
        """Whether there was room for an ask."""
        child, envelope = asked.child, asked.envelope
        try:
            if child.mailbox.accepts(envelope):
                return True
            if child.spec.mailbox.waits:
                return False
            child.mailbox.offer_nowait(envelope)
        except DeliveryError as exc:
            self._refused(child, envelope, exc)
            raise
        return True

    async def _wait_for_room(self, asked: Asked, handler: AtWork | None) -> None:
        """Wait behind earlier senders; returns also when the ask has expired, its reply then says so."""
        envelope = asked.envelope
        if handler is None:
            self.waits.begin(asked.child, envelope, None)
        with anyio.CancelScope() as asked.room:
            try:
                await asked.child.mailbox.offer(envelope, None)
            except ActorStopped as exc:
                if not asked.reply.done():  # else it has expired at the same moment, and ends so
                    self._refused(asked.child, envelope, exc)
                    raise
            except asyncio.CancelledError:
                asked.child.withdraw(envelope, DeadLetterReason.WITHDRAWN)
                raise
            finally:
                if handler is None:
                    self.waits.end(envelope)
        asked.room = None
        if envelope.lost:  # it expired in the turn in which it was let in
            asked.child.mailbox.discard(envelope)

    def _lane_of(self, asked: Asked) -> Lane:
        timeout = asked.timeout
        if timeout is None or timeout == math.inf:
            return self._undated
        lane = self._lanes.get(timeout)
        if lane is None:
            lane = self._lanes[timeout] = Lane(self.clock, lambda: self._lanes.pop(timeout, None))
            lane.ring_at(asked.due)
        return lane

    def _due(self, timeout: float | None) -> float:
        """When so many seconds have passed; raises ConfigError for what is no number of seconds."""
        if timeout is None:
            return math.inf
        if not isinstance(timeout, _NUMBERS) or not timeout >= 0:
            raise ConfigError("timeout", timeout, "is not a number of seconds")
        try:
            return self.clock.time() + timeout
        except OverflowError:  # an int that no float can hold
            raise ConfigError("timeout", timeout, "is not a number of seconds") from None

    def _check_size(self, child: Child, envelope: Envelope) -> None:
        size, most = envelope.size, child.spec.limits.max_payload_bytes
        policy = child.spec.mailbox
        if policy.key is not None and envelope.invocation is None:
            most = policy.most_payload_bytes(most)
        if size > most:
            error = PayloadTooLarge(child.id, size, most, envelope.message)
            self._refused(child, envelope, error)
            raise error

    def _refused(self, child: Child, envelope: Envelope, error: DeliveryError) -> None:
        child.lose(envelope, REFUSED[type(error)], error)
