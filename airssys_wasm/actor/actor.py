"""One instance of a component as a task: it starts the guest, gives it one message at a time, and ends it.

    run ─► setup ─► running: take ─► deliver ─► answer ─┐ ─► shutdown ─► close ─► ExitReason
                       ▲                                │
                       └────────────────────────────────┘
                    aside: for an upgrade, before `take` or instead of it

| what ends it | the message in progress | `shutdown` | kind |
|---|---|---|---|
| an order to stop | is finished | is called | stopped |
| an order to restart | is finished, unless it is interrupted | is called, unless interrupted | interrupted |
| an order to sleep | there is none; one that comes first undoes the order | is called | passivated |
| an order to retire | has ended long ago: another instance serves | is called | stopped |
| too many bad answers to `health` | there is none | is not called | crashed |
| a trap, an answer that is too large, a bug in a host | `ComponentCrashed` | is not called | crashed |
| `interrupt` | `ActorStopped`, or its asker has given up | is not called | interrupted |
| `kill` | `ActorStopped` | is not called | stopped |
| `end` | `ActorStopped` | is not called | as it says |

However it ends, the guest is closed. The mailbox and the counters belong to the child and outlive the instance.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final, final

import anyio
import attrs

from airssys_wasm.actor import farewell, lost
from airssys_wasm.actor.aside import Aside
from airssys_wasm.actor.callbacks import Callbacks
from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.handover import answered, hand_over
from airssys_wasm.actor.health import UNHEALTHY
from airssys_wasm.actor.mailbox import Mailbox
from airssys_wasm.actor.orders import CANCELLED, ORDERED, PASSIVATED, Order, killed
from airssys_wasm.actor.passivation import has_mail
from airssys_wasm.actor.upkeep import Upkeep
from airssys_wasm.core.calls import CallRefused
from airssys_wasm.core.errors import GuestError, Interrupted
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.core.ports import Clock, ComponentMetadata, Guest, GuestHost, HostState

TURN_SECONDS: Final = 0.001
"""An actor whose guest never waits gives the loop a turn this often: one epoch tick."""


@final
@attrs.define(eq=False, repr=False)
class ComponentActor:
    """The life of one instance; `run` never raises but for the cancellation of everything around it.

    The next one of an upgrade has a specification of its own, and begins aside.
    """

    _child: Child
    _host: GuestHost
    _clock: Clock
    spec: ChildSpec
    aside: Aside | None = None
    ready: bool = attrs.field(default=False, init=False)
    metadata: ComponentMetadata = attrs.field(default=ComponentMetadata(), init=False)
    _mailbox: Mailbox[Order] | None = attrs.field(default=None, init=False)
    _reason: ExitReason | None = attrs.field(default=None, init=False)
    _guest: Guest | None = attrs.field(default=None, init=False)
    _current: Envelope | None = attrs.field(default=None, init=False)
    _order: Order | None = attrs.field(default=None, init=False)
    _why: ExitReason | None = attrs.field(default=None, init=False)
    _state: HostState | None = attrs.field(default=None, init=False)
    _callbacks: Callbacks | None = attrs.field(default=None, init=False)
    _upkeep: Upkeep | None = attrs.field(default=None, init=False)
    _scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope, init=False)

    @property
    def guest_time(self) -> float:
        """Seconds inside the guest's code, host waits excluded."""
        return self._guest.guest_time if self._guest is not None else 0.0

    @property
    def fuel(self) -> int:
        """Fuel that the guest's calls have taken."""
        return self._guest.fuel if self._guest is not None else 0

    @property
    def instance(self) -> HostState | None:
        """What the running guest is known by; None before it has initialized."""
        return self._state if self.ready else None

    async def run(self, on_ready: "OnReady", on_end: "OnEnd") -> None:
        """Live until something ends it; code that cancels its own task ends its own actor.

        Args:
            on_ready: called once, when `initialize` has succeeded.
            on_end: called in the end, with how it ended; `ready` tells whether it ever ran.

        Cancellation: as `kill`; the guest is closed before the cancellation goes on.
        """
        reason = CANCELLED
        try:
            with self._scope:
                reason = await self._live(on_ready)
            if self._scope.cancelled_caught:
                reason = self._why or killed(self._order)
        finally:
            try:
                self._lose_current(reason)
                await self._close()
            finally:
                self._reason = reason
                if self.aside is not None:
                    self.aside.end(reason)
                on_end(self._child, self, reason)

    def tell(self, order: Order) -> None:
        """Give an order, obeyed after the message in progress, before all others. A stop is final, sleep gives way."""
        if self._order is not Order.STOP and (self._order is None or order is not Order.SLEEP):
            self._order = order
        self._signal(order)
        if self.aside is not None:
            self.aside.go_on()

    def step_aside(self) -> Aside:
        """Leave the mailbox, after the message in progress, to whoever is next; see `Aside`."""
        self.aside = aside = Aside(is_killed=self._scope.cancel_called)
        self._signal(Order.STEP_ASIDE)
        if self._reason is not None:
            aside.end(self._reason)
        elif self._order is not None:
            aside.go_on()
        return aside

    def _signal(self, order: Order) -> None:
        """Wake it, if it is at the mailbox."""
        if self._mailbox is not None:
            self._mailbox.put_signal(order)

    def interrupt(self, envelope: Envelope | None = None) -> bool:
        """Stop the guest in the middle of a message.

        Args:
            envelope: only if this is the message; None means whatever it is.

        Returns:
            Whether there was such a message.
        """
        if self._guest is None or self._current is None or envelope not in {None, self._current}:
            return False
        self._guest.interrupt()
        return True

    def kill(self) -> None:
        """End now, whatever it is doing; the guest is still closed."""
        self._scope.cancel()
        if self.aside is not None:
            self.aside.is_killed = True

    def end(self, reason: ExitReason) -> None:
        """As `kill`, and this is why; of two reasons the first counts."""
        self._why = self._why or reason
        self.kill()

    async def _live(self, on_ready: "OnReady") -> ExitReason:
        """Setup, running and shutdown; an exception becomes the reason."""
        try:
            guest = await self._setup()
            on_ready(self._child, self)
            while (reason := await self._serve(guest)) is None:
                """It has stepped aside, and does something else now."""
            if reason is PASSIVATED:
                await farewell.fall_asleep(self._child, guest, self._clock, self.kill)
            elif reason is not UNHEALTHY:
                await farewell.say_goodbye(self._child, guest)
        except Interrupted as exc:
            return ExitReason(ExitKind.INTERRUPTED, "in the middle of a message", exc)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it ends this actor and nobody else
            return ExitReason(ExitKind.CRASHED, str(exc) or type(exc).__name__, exc)
        return reason

    async def _setup(self) -> Guest:
        spec = self.spec
        self._state = state = spec.host_state()
        self._callbacks = Callbacks(self._child, state)
        self._guest = guest = await self._host.start(spec.compiled, state)
        self.metadata = await guest.initialize(spec.config)
        self.ready = True
        return guest

    async def _serve(self, guest: Guest) -> ExitReason | None:
        """Take and deliver until there is an order; the loop gets a turn at least every `TURN_SECONDS`.

        Returns:
            The end that was ordered; None when it is to step aside.
        """
        mailbox, now = await self._mailbox_given(guest), time.monotonic
        upkeep, turn = self._upkeep, now()
        wait = mailbox.wait if upkeep is None else upkeep.wait
        while self._order is None or self._stays_awake():
            item = mailbox.take_nowait()
            if item is None:
                await wait()
                turn = now()
            elif isinstance(item, Envelope):
                await self._deliver(guest, item)
                if now() - turn >= TURN_SECONDS:
                    await asyncio.sleep(0)
                    turn = now()
            elif self.aside is not None:
                return None
            elif upkeep is not None and not await upkeep.check():
                return UNHEALTHY
        if self._order is Order.STOP:
            await self._drain(guest)
        return ORDERED[self._order or Order.STOP]

    async def _mailbox_given(self, guest: Guest) -> Mailbox[Order]:
        """Wait while an upgrade wants it aside, then take up the work of the component."""
        child, callbacks, state = self._child, self._callbacks, self._state
        assert callbacks is not None  # noqa: S101 - it has been set up
        assert state is not None  # noqa: S101 - as before
        if self.aside is not None:
            callbacks.hold()
            self._end_upkeep()
        while (aside := self.aside) is not None:
            await aside.wait(guest)
            self.aside = None if self.aside is aside else self.aside  # another upgrade may have come meanwhile
        assert isinstance(child.mailbox, Mailbox)  # noqa: S101 - an actor serves when there is something to take
        self._mailbox = mailbox = child.mailbox
        if self._order is None:
            callbacks.release()
            if self.spec.health is not None or self.spec.passivate_after is not None:
                self._upkeep = Upkeep(child, mailbox, state, guest, self._clock, self.tell)
                self._upkeep.begin()
        return mailbox

    def _end_upkeep(self) -> None:
        if self._upkeep is not None:
            self._upkeep.end()
            self._upkeep = None

    def _stays_awake(self) -> bool:
        """Forget an order to sleep because a message came first."""
        if self._order is Order.SLEEP and has_mail(self._child):
            self._order = None
            self._child.has_changed()  # an upgrade may have found that this one would not step aside
        return self._order is None

    async def _drain(self, guest: Guest) -> None:
        """Handle what the supervisor left to be handled before the stop; nothing unless it was asked to drain."""
        backlog = self._child.backlog
        while backlog:
            await self._deliver(guest, backlog.pop())
            await asyncio.sleep(0)

    async def _deliver(self, guest: Guest, envelope: Envelope) -> None:
        """Have the guest handle one message and complete the ask; a guest that answers err goes on living."""
        child = self._child
        if self._callbacks is None or not self._callbacks.is_due(envelope):
            return
        if envelope.due != math.inf and envelope.due <= self._clock.time():
            child.lose(envelope, DeadLetterReason.EXPIRED)
            return
        self._current, envelope.started = envelope, True
        try:
            answer = await hand_over(guest, envelope)
        except GuestError as exc:
            lost.answered_err(child, envelope, exc)
        except CallRefused as exc:
            lost.refused(child, envelope, exc)
        else:
            answered(child, envelope, answer)
        self._current = None

    def _lose_current(self, reason: ExitReason) -> None:
        """End the message in progress when the instance ended on it."""
        envelope, self._current = self._current, None
        if envelope is not None:
            lost.lose(self._child, envelope, reason)

    async def _close(self) -> None:
        """Have no more to do with anybody, and close the guest, whatever is being cancelled."""
        if self._callbacks is not None:
            self._callbacks.end()
        self._end_upkeep()
        if self._guest is not None:
            await farewell.close(self._child, self._guest, self._clock)


OnReady = Callable[[Child, ComponentActor], object]
OnEnd = Callable[[Child, ComponentActor, ExitReason], object]
