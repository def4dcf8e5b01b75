"""Asks under way, and their time.

Asks are many and mostly end long before their time, so they have no timer of their own: those with the same timeout
are due in the order in which they came, and share one.
"""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, final

import anyio
import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.core.errors import Outcome, RequestTimeout
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.core.ports import Clock, Timer

EXPIRED_AT_ONCE: Final = 100
"""Asks that end in one turn, some 5 µs each and what their askers do then."""


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

    def give_up(self, reason: DeadLetterReason = DeadLetterReason.WITHDRAWN) -> Outcome:
        """Nobody waits for the answer any more."""
        envelope = self.envelope
        if not envelope.started:
            self.child.withdraw(envelope, reason)
            outcome: Outcome = "withdrawn" if envelope.lost else "running"
            if self.room is not None:
                self.room.cancel()
            return outcome
        actor = self.child.actor
        if self.interrupt and actor is not None and actor.interrupt(envelope):
            return "interrupted"
        return "running"

    def expire(self) -> None:
        """End the ask with `RequestTimeout`, unless it has just ended."""
        if not self.reply.done():
            outcome, timeout = self.give_up(DeadLetterReason.EXPIRED), self.timeout or 0.0
            self.reply.set_exception(RequestTimeout(self.child.id, timeout, outcome, self.envelope.message))

    def abandon(self) -> None:
        """Its task was cancelled: give up, or drop what came at the same moment and nobody will look at."""
        if self.reply.cancelled():
            self.give_up()
        elif self.reply.done():
            self.reply.exception()
        elif self.envelope.started or self.envelope.inside:  # while its task, which waited for room, could not go on
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
        """End what is due, a few in a turn of the loop, and wait for the next one."""
        now = self.clock.time()
        for asked in list(islice(self.asks, EXPIRED_AT_ONCE)):
            if asked.due > now:
                break
            del self.asks[asked]
            asked.expire()
        if self.asks:
            self.ring_at(max(now, next(iter(self.asks)).due))
        else:
            self.on_empty()

    def expire_lost(self) -> None:
        """End what an actor has found to be late, whose time the timer would tell next."""
        for asked in list(self.asks):
            if asked.envelope.lost:
                asked.expire()

    def close(self) -> None:
        """Forget the timer, of a lane that has one."""
        if self.timer is not None:
            self.timer.cancel()
            self.on_empty()
