"""What a mailbox holds when it is closed: each message ends, a few in a turn of the loop, however many there are."""

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys_wasm.actor.lifecycle import LifecycleEvent
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.observations import ActorState, DeadLetterReason

if TYPE_CHECKING:
    from airssys_wasm.actor.child import Child
    from airssys_wasm.actor.envelope import Envelope
    from airssys_wasm.core.exits import ExitReason

AT_ONCE: Final = 100
"""Messages that end in one turn: some 6 µs each, and as much again for those whose askers they wake."""


@final
@attrs.define(eq=False, repr=False)
class Clearing:
    """One component's messages that nobody is going to handle, in order; the first few end at once."""

    child: "Child"
    _left: "list[tuple[Iterator[Envelope], ExitReason]]" = attrs.field(factory=list, init=False)
    _goes_on: bool = attrs.field(default=False, init=False)
    _then: Callable[[], None] | None = attrs.field(default=None, init=False)

    def add(self, left: "Iterator[Envelope]", reason: "ExitReason") -> None:
        """End more messages, as `ActorStopped`."""
        self._left.append((left, reason))
        if not self._goes_on:
            self._go_on()

    def outlives(self, then: Callable[[], None]) -> bool:
        """Whether messages are left of what would be gone otherwise; `then` is called once there are none."""
        if not self._left:
            return False
        if self.child.state is not ActorState.STOPPING:
            self.child.move(LifecycleEvent.STOP)
        self._then = then
        return True

    def finish(self) -> None:
        """End all that is left now, whatever it takes; nobody waits for it any more."""
        self._then = None
        while self._end_some():
            pass

    def _go_on(self) -> None:
        self._goes_on = self._end_some()
        if self._goes_on:
            asyncio.get_running_loop().call_soon(self._go_on)
        elif self._then is not None:
            then, self._then = self._then, None
            then()

    def _end_some(self) -> bool:
        """End the next few; whether there may be more."""
        for _ in range(AT_ONCE):
            if not self._left:
                return False
            left, reason = self._left[0]
            envelope = next(left, None)
            if envelope is None:
                del self._left[0]
            else:
                self._end(envelope, reason)
        return bool(self._left)

    def _end(self, envelope: "Envelope", reason: "ExitReason") -> None:
        error = ActorStopped(self.child.id, reason, envelope.message)
        envelope.fail(error)
        self.child.lose(envelope, DeadLetterReason.ACTOR_STOPPED, error)
