"""What an instance does besides messages: it is asked how it is, and falls asleep when nobody needs it.

There is one timer for both, whatever is due first; the call of `health` itself is the actor's, between two messages.
A busy component moves no timer: when it rings too early, it is set anew.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Final, final

import attrs

from airssys_wasm.actor import health
from airssys_wasm.actor.child import Child
from airssys_wasm.actor.health import HealthRecord
from airssys_wasm.actor.mailbox import Mailbox
from airssys_wasm.actor.orders import Order
from airssys_wasm.core.errors import Interrupted
from airssys_wasm.core.health import HealthCheck
from airssys_wasm.core.observations import Event, EventKind
from airssys_wasm.core.ports import Clock, Guest, HostState, Timer

NEVER: Final = math.inf


@final
@attrs.define(eq=False, repr=False)
class Upkeep:
    """The deadlines of one instance, from its `initialize` to its end; `tell` gives its actor an order."""

    child: Child
    mailbox: Mailbox[Order]
    state: HostState
    guest: Guest
    clock: Clock
    tell: Callable[[Order], None]
    _timer: Timer | None = attrs.field(default=None, init=False)
    _idle_since: float = attrs.field(default=NEVER, init=False)
    _answers: int = attrs.field(default=0, init=False)
    _calling: bool = attrs.field(default=False, init=False)
    _ordered: bool = attrs.field(default=False, init=False)
    _over: bool = attrs.field(default=False, init=False)

    def begin(self) -> None:
        """It has initialized."""
        self._answers = self._answered
        self._idle_since = now = self.clock.time()
        self.child.health = HealthRecord() if self._check is None else health.ready(self._check, now)
        self._set_timer()

    def end(self) -> None:
        """It is over."""
        self._over = True
        self._cancel_timer()

    async def wait(self) -> None:
        """As the mailbox's: return when there is something to take."""
        if self._answers != self._answered:  # a check of its health does not keep it awake
            self._answers, self._idle_since = self._answered, self.clock.time()
        await self.mailbox.wait()

    def is_needed(self) -> None:
        """A message has come that was not in the mailbox, and may have been answered."""
        self._answers, self._idle_since = self._answered, self.clock.time()

    async def check(self) -> bool:
        """Ask it how it is, if that is due; whether it may go on.

        Raises:
            ExecutionError: The call ended without an answer, for another reason than that it took too long.
        """
        if not self._ordered or self._check is None:
            return True
        self._ordered, self._calling = False, True
        self._note(health.called(self._check, self.child.health, self.clock.time()))
        try:
            status = await self.guest.health()
        except Interrupted:
            return False
        finally:
            self._calling = False
        self._note(health.answered(self._check, self.child.health, status, self.clock.time()))
        return not self.child.health.is_unhealthy(self._check)

    @property
    def _answered(self) -> int:
        return self.child.handled + self.child.guest_errors

    @property
    def _check(self) -> HealthCheck | None:
        return self.child.spec.health

    @property
    def _due(self) -> tuple[float, float]:
        """When its health, and when its sleep is due."""
        after = self.child.spec.passivate_after
        check = NEVER if self._ordered else self.child.health.due
        return check, NEVER if after is None else self._idle_since + after

    def _note(self, record: HealthRecord) -> None:
        """Keep what is known now, tell observers of a new answer, and move the timer."""
        before, self.child.health = self.child.health, record
        if record.status != before.status:
            self.child.observer.event(Event(EventKind.HEALTH, self.child.id, health=record.status))
        self._set_timer()

    def _set_timer(self) -> None:
        self._cancel_timer()
        due = min(self._due)
        if due < NEVER:
            self._timer = self.clock.call_at(due, partial(self.child.turnstile.enter, self._ring))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        """Something may be due."""
        if self._over:
            return
        now = self.clock.time()
        self._cancel_timer()
        check, sleep = self._due
        if not (sleep <= now and self._falls_asleep(now)) and check <= now:
            self._check_is_due()
        self._set_timer()  # also for one that falls asleep: a message may undo that

    def _check_is_due(self) -> None:
        if self._check is None:
            return
        if not self._calling:
            self._ordered = True
            self.mailbox.put_signal(Order.CHECK)
            return
        self._note(health.missed(self._check, self.child.health))
        if self.child.health.is_unhealthy(self._check):
            self.guest.interrupt()

    def _falls_asleep(self, now: float) -> bool:
        """Have it fall asleep, unless it is needed; then look again when as much time has passed."""
        self._idle_since, outbox = now, self.state.outbox
        if not self.mailbox.is_waited_at or (outbox is not None and outbox.has_requests(self.state)):
            return False
        self.tell(Order.SLEEP)
        return True
