"""One instance of a component as a task: it starts the guest, gives it one message at a time, and ends it.

    run ─► setup ─► running: take ─► deliver ─► answer ─┐ ─► shutdown ─► close ─► ExitReason
                       ▲                                │
                       └────────────────────────────────┘
                    aside: for an upgrade, before `take` or instead of it
    begin: by an asker that finds it waiting, instead of `take`; `work.py`

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
import time
from collections.abc import Callable
from typing import Final, final

import anyio
import attrs

from airssys_wasm.actor import farewell
from airssys_wasm.actor.aside import Aside
from airssys_wasm.actor.callbacks import Callbacks
from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.health import UNHEALTHY
from airssys_wasm.actor.mailbox import Mailbox
from airssys_wasm.actor.orders import CANCELLED, ORDERED, PASSIVATED, Order, killed
from airssys_wasm.actor.passivation import has_mail
from airssys_wasm.actor.upkeep import Upkeep
from airssys_wasm.actor.work import Work
from airssys_wasm.core.errors import Interrupted
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ports import Answered, Clock, ComponentMetadata, Guest, GuestHost, HostState

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
    _work: Work | None = attrs.field(default=None, init=False)
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
                if self._work is not None:
                    self._work.lose(reason)
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
        return self._work is not None and self._work.interrupt(envelope)

    def begin(self, envelope: Envelope) -> Answered | None:
        """Begin a message here and now, for one that waits at its empty mailbox; see `Work.begin`."""
        work, mailbox = self._work, self._mailbox
        if work is None or mailbox is None or mailbox is not self._child.mailbox:
            return None
        answer = work.begin(envelope)
        if self._upkeep is not None:
            self._upkeep.is_needed()
        if work.begun is not None:
            mailbox.put_signal(Order.GO_ON)
        return answer

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
            work = await self._setup()
            on_ready(self._child, self)
            while (reason := await self._serve(work)) is None:
                """It has stepped aside, and does something else now."""
            if reason is PASSIVATED:
                await farewell.fall_asleep(self._child, work.guest, self._clock, self.kill)
            elif reason is not UNHEALTHY:
                await farewell.say_goodbye(self._child, work.guest)
        except Interrupted as exc:
            return ExitReason(ExitKind.INTERRUPTED, "in the middle of a message", exc)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it ends this actor and nobody else
            return ExitReason(ExitKind.CRASHED, str(exc) or type(exc).__name__, exc)
        return reason

    async def _setup(self) -> Work:
        spec = self.spec
        self._state = state = spec.host_state()
        self._callbacks = callbacks = Callbacks(self._child, state)
        self._guest = guest = await self._host.start(spec.compiled, state)
        self._work = work = Work(self._child, guest, callbacks, self._clock)
        self.metadata = await guest.initialize(spec.config)
        self.ready = True
        return work

    async def _serve(self, work: Work) -> ExitReason | None:
        """Take and deliver until there is an order; the loop gets a turn at least every `TURN_SECONDS`.

        Returns:
            The end that was ordered; None when it is to step aside.
        """
        mailbox, now = await self._mailbox_given(work), time.monotonic
        upkeep, turn = self._upkeep, now()
        wait = mailbox.wait if upkeep is None else upkeep.wait
        while work.begun is not None or self._order is None or self._stays_awake():
            item = work.begun or mailbox.take_nowait()
            if item is None:
                await wait()
                turn = now()
            elif isinstance(item, Envelope):
                await work.deliver(item)
                if now() - turn >= TURN_SECONDS:
                    await asyncio.sleep(0)
                    turn = now()
            elif self.aside is not None:
                return None
            elif upkeep is not None and not await upkeep.check():
                return UNHEALTHY
        if self._order is Order.STOP:
            await self._drain(work)
        return ORDERED[self._order or Order.STOP]

    async def _mailbox_given(self, work: Work) -> Mailbox[Order]:
        """Wait while an upgrade wants it aside, then take up the work of the component."""
        child, callbacks, guest = self._child, work.callbacks, work.guest
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
                self._upkeep = Upkeep(child, mailbox, callbacks.state, guest, self._clock, self.tell)
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

    async def _drain(self, work: Work) -> None:
        """Handle what the supervisor left to be handled before the stop; nothing unless it was asked to drain."""
        backlog = self._child.backlog
        while backlog:
            await work.deliver(backlog.pop())
            await asyncio.sleep(0)

    async def _close(self) -> None:
        """Have no more to do with anybody, and close the guest, whatever is being cancelled."""
        if self._callbacks is not None:
            self._callbacks.end()
        self._end_upkeep()
        if self._guest is not None:
            await farewell.close(self._child, self._guest, self._clock)


OnReady = Callable[[Child, ComponentActor], object]
OnEnd = Callable[[Child, ComponentActor, ExitReason], object]
