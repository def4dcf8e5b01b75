"""One instance of a component as a task: it starts the guest, gives it one message at a time, and ends it.

    run ─► setup ─► running: take ─► deliver ─► answer ─┐ ─► shutdown ─► close ─► ExitReason
                       ▲                                │
                       └────────────────────────────────┘

| what ends it | the message in progress | `shutdown` | kind |
|---|---|---|---|
| an order to stop | is finished | is called | stopped |
| an order to restart | is finished, unless it is interrupted | is called, unless interrupted | interrupted |
| an order to sleep | there is none; one that comes first undoes the order | is called | passivated |
| too many bad answers to `health` | there is none | is not called | crashed |
| a trap, an answer that is too large, a bug in a host | `ComponentCrashed` | is not called | crashed |
| `interrupt` | `ActorStopped`, or its asker has given up | is not called | interrupted |
| `kill` | `ActorStopped` | is not called | stopped |
| `end` | `ActorStopped` | is not called | as it says |

However it ends, the guest is closed. The mailbox and the counters belong to the child and outlive the instance.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, final

import anyio

from airssys_wasm.actor import farewell
from airssys_wasm.actor.child import Child, Order
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.health import UNHEALTHY
from airssys_wasm.actor.mailbox import Mailbox
from airssys_wasm.actor.passivation import PASSIVATED, has_mail
from airssys_wasm.actor.upkeep import Upkeep
from airssys_wasm.core.errors import (
    ActorStopped,
    ComponentCrashed,
    DeliveryError,
    GuestError,
    Interrupted,
    PayloadTooLarge,
    Trap,
)
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.core.ports import Clock, Guest, GuestHost, HostState

TURN_SECONDS: Final = 0.001
"""An actor whose guest never waits gives the loop a turn this often: one epoch tick."""

_LOST: Final = {
    ExitKind.CRASHED: DeadLetterReason.CRASHED,
    ExitKind.LINKED: DeadLetterReason.CRASHED,
    ExitKind.INTERRUPTED: DeadLetterReason.INTERRUPTED,
    ExitKind.STOPPED: DeadLetterReason.ACTOR_STOPPED,
}

_KILLED_TO: Final = {
    Order.RESTART: ExitReason(ExitKind.INTERRUPTED, "killed to restart"),
    Order.SLEEP: PASSIVATED,
}

_log: Final = logging.getLogger(__name__)


@final
class ComponentActor:
    """The life of one instance; `run` never raises but for the cancellation of everything around it."""

    def __init__(self, child: Child, host: GuestHost, clock: Clock) -> None:
        self.ready = False
        assert isinstance(child.mailbox, Mailbox)  # noqa: S101 - an actor is started when there is something to take
        self._child, self._mailbox, self._host, self._clock = child, child.mailbox, host, clock
        self._guest: Guest | None = None
        self._current: Envelope | None = None
        self._order: Order | None = None
        self._why: ExitReason | None = None
        self._state: HostState | None = None
        self._callbacks: dict[str, Envelope] = {}
        self._upkeep: Upkeep | None = None
        self._scope = anyio.CancelScope()

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

    async def run(self, on_ready: Callable[[], None]) -> ExitReason:
        """Live until something ends it.

        Args:
            on_ready: called once, when `initialize` has succeeded.

        Returns:
            How it ended; `ready` tells whether it ever ran.

        Cancellation: as `kill`; the guest is closed before the cancellation goes on.
        """
        reason = ExitReason(ExitKind.STOPPED, "killed")
        try:
            with self._scope:
                reason = await self._live(on_ready)
            if self._scope.cancelled_caught and self._why is not None:
                reason = self._why
            elif self._scope.cancelled_caught and self._order is not None:
                reason = _KILLED_TO.get(self._order, reason)
        finally:
            self._lose_current(reason)
            await self._close()
        return reason

    def tell(self, order: Order) -> None:
        """Give an order, obeyed after the message in progress, before all others. A stop is final, sleep gives way."""
        if self._order is not Order.STOP and (self._order is None or order is not Order.SLEEP):
            self._order = order
        self._mailbox.put_signal(order)

    def interrupt(self, envelope: Envelope | None = None) -> bool:
        """Stop the guest in the middle of a message.

        Args:
            envelope: only if this is the message; None means whatever it is.

        Returns:
            Whether there was such a message.
        """
        current = self._current
        if self._guest is None or current is None or envelope not in {None, current}:
            return False
        self._guest.interrupt()
        return True

    def kill(self) -> None:
        """End now, whatever it is doing; the guest is still closed."""
        self._scope.cancel()

    def end(self, reason: ExitReason) -> None:
        """As `kill`, and this is why; of two reasons the first counts."""
        self._why = self._why or reason
        self._scope.cancel()

    async def _live(self, on_ready: Callable[[], None]) -> ExitReason:
        """Setup, running and shutdown; an exception becomes the reason."""
        try:
            guest = await self._setup()
            on_ready()
            reason = await self._serve(guest)
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
        spec = self._child.spec
        self._state = state = spec.host_state()
        state.take_callback, state.drop_callback = self._take_callback, self._drop_callback
        self._guest = guest = await self._host.start(spec.compiled, state)
        self._child.metadata = await guest.initialize(spec.config)
        self.ready = True
        if spec.health is not None or spec.passivate_after is not None:
            self._upkeep = Upkeep(self._child, self._mailbox, state, guest, self._clock, self.tell)
            self._upkeep.begin()
        return guest

    def _take_callback(self, message: ComponentMessage) -> bool:
        """Put the answer to a request of this instance into the mailbox."""
        envelope = Envelope(message, callback=True, instance=self._state)
        taken = self._mailbox.put_callback(envelope)
        if taken and message.metadata.correlation_id is not None:
            self._callbacks[message.metadata.correlation_id] = envelope
        return taken

    def _drop_callback(self, correlation_id: str) -> None:
        """Take back an answer that waits in the mailbox; nothing when it has been delivered."""
        envelope = self._callbacks.pop(correlation_id, None)
        if envelope is not None:
            envelope.withdrawn = True

    async def _serve(self, guest: Guest) -> ExitReason:
        """Take and deliver until there is an order; the loop gets a turn at least every `TURN_SECONDS`."""
        mailbox, upkeep, now = self._mailbox, self._upkeep, time.monotonic
        wait = mailbox.wait if upkeep is None else upkeep.wait
        turn = now()
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
            elif upkeep is not None and not await upkeep.check():
                return UNHEALTHY
        if self._order is Order.SLEEP:
            return PASSIVATED
        if self._order is Order.RESTART:
            return ExitReason(ExitKind.INTERRUPTED, "restarted on request")
        await self._drain(guest)
        return ExitReason(ExitKind.STOPPED)

    def _stays_awake(self) -> bool:
        """Forget an order to sleep because a message came first."""
        if self._order is Order.SLEEP and has_mail(self._child):
            self._order = None
        return self._order is None

    async def _drain(self, guest: Guest) -> None:
        """Handle what the supervisor left to be handled before the stop; nothing unless it was asked to drain."""
        backlog = self._child.backlog
        while backlog:
            await self._deliver(guest, backlog.popleft())
            await asyncio.sleep(0)

    async def _deliver(self, guest: Guest, envelope: Envelope) -> None:
        """Have the guest handle one message and complete the ask; a guest that answers err goes on living."""
        child = self._child
        if envelope.callback:
            self._callbacks.pop(envelope.message.metadata.correlation_id or "", None)
        if envelope.withdrawn or envelope.instance not in {None, self._state}:
            child.lose(envelope, DeadLetterReason.REQUESTER_GONE)
            return
        self._current = envelope
        envelope.started = True
        answer = None
        try:
            if envelope.callback:
                await guest.handle_callback(envelope.message)
            else:
                answer = await guest.handle_message(envelope.message)
        except GuestError as exc:
            child.guest_errors += 1
            level, what = (logging.WARNING, " to a callback") if envelope.callback else (logging.DEBUG, "")
            _log.log(
                level, "%s answered err%s: %s", child.id, what, farewell.line(exc)
            )  # of a callback nobody else hears
            envelope.fail(exc)
        else:
            child.handled += 1
            envelope.answer(answer)
        self._current = None

    def _lose_current(self, reason: ExitReason) -> None:
        """End the message in progress when the instance ended on it."""
        envelope, self._current = self._current, None
        if envelope is None:
            return
        child, message = self._child, envelope.message
        error: DeliveryError = ActorStopped(child.id, reason, message)
        if reason.kind is ExitKind.CRASHED:
            error = ComponentCrashed(child.id, _word(reason.cause), message)
            error.__cause__ = reason.cause
        envelope.fail(error)
        child.lose(envelope, _LOST[reason.kind], error)

    async def _close(self) -> None:
        """Have no more to do with anybody, and close the guest, whatever is being cancelled."""
        self._end_requests()
        if self._upkeep is not None:
            self._upkeep.end()
        if self._guest is not None:
            await farewell.close(self._child, self._guest, self._clock)

    def _end_requests(self) -> None:
        """Requests belong to the instance: no answer reaches the next one."""
        state = self._state
        if state is not None:
            state.take_callback = state.drop_callback = None
            if state.outbox is not None:
                state.outbox.forget(state)


def _word(cause: BaseException | None) -> str:
    """Why a component crashed, in one word."""
    match cause:
        case Trap():
            return cause.code
        case PayloadTooLarge():
            return "payload-too-large"
        case _:
            return type(cause).__name__
