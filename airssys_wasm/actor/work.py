"""The message that an instance is at, one at a time: who begins it, and what becomes of it.

| a message | is begun by | goes on in |
|---|---|---|
| out of the mailbox | the actor's task | the actor's task |
| of an ask, while the actor waits at its empty mailbox | the asker's task, on the spot | the actor's task |

An answer that takes one step so costs neither task a turn of the loop; whatever else comes of that step is the actor's
to see to. The loop's budget bounds how many may begin in one turn.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any, final

import attrs

from airssys_wasm.actor import lost
from airssys_wasm.actor.callbacks import Callbacks
from airssys_wasm.actor.child import Child
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.handover import answered, hand_over
from airssys_wasm.core.calls import CallRefused
from airssys_wasm.core.errors import GuestError
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.core.ports import Answered, Clock, Guest


@final
@attrs.define(eq=False, repr=False)
class Work:
    """What one instance does with messages."""

    child: Child
    guest: Guest
    callbacks: Callbacks
    clock: Clock
    _current: Envelope | None = attrs.field(default=None, init=False)
    _rest: Callable[[], Awaitable[Any]] | None = attrs.field(default=None, init=False)
    _failed: Exception | None = attrs.field(default=None, init=False)

    def begin(self, envelope: Envelope) -> Answered | None:
        """Begin a message that was in no mailbox, for an actor that waits for one; its answer, if that took one step.

        Otherwise it is `begun`, or, as it is not a moment for that, nothing has happened and it is not `started`.
        """
        if self._current is not None:  # host code asks again in the middle of the step, and is eager
            return None
        self._current = envelope
        try:
            made = self.guest.attempt(envelope.message, envelope.invocation)
        except Exception as exc:  # noqa: BLE001 - raised again where it ends what it has to
            self._failed, made = exc, self._fail
        except BaseException:
            self._current = None
            raise
        envelope.started = made is not None
        if made is None or isinstance(made, Answered):
            self._current = None
        if isinstance(made, Answered):
            answered(self.child, envelope, made.value)
            return made
        self._rest = made
        return None

    @property
    def begun(self) -> Envelope | None:
        """A message that somebody else has begun, and that is now to be delivered."""
        return None if self._rest is None else self._current

    async def deliver(self, envelope: Envelope) -> None:
        """Have the guest handle a message and complete the ask; a guest that answers err goes on living."""
        rest, self._rest = self._rest, None
        if rest is None and not self._may_begin(envelope):
            return
        self._current, envelope.started = envelope, True
        try:
            answer = await (hand_over(self.guest, envelope) if rest is None else rest())
        except GuestError as exc:
            lost.answered_err(self.child, envelope, exc)
        except CallRefused as exc:
            lost.refused(self.child, envelope, exc)
        else:
            answered(self.child, envelope, answer)
        self._current = None

    def interrupt(self, envelope: Envelope | None) -> bool:
        """Stop the guest, if this is the message; None means whatever it is. Whether there was such a message."""
        if self._current is None or envelope not in {None, self._current}:
            return False
        self.guest.interrupt()
        return True

    def lose(self, reason: ExitReason) -> None:
        """End the message in progress when the instance ended on it."""
        envelope, self._current, self._rest = self._current, None, None
        if envelope is not None:
            lost.lose(self.child, envelope, reason)

    def _may_begin(self, envelope: Envelope) -> bool:
        if not self.callbacks.is_due(envelope):
            return False
        if envelope.due != math.inf and envelope.due <= self.clock.time():
            self.child.lose(envelope, DeadLetterReason.EXPIRED)
            return False
        return True

    async def _fail(self) -> None:
        """Raise what went wrong on the spot, once: its traceback leads back here."""
        failed, self._failed = self._failed, None
        try:
            assert failed is not None  # noqa: S101 - it is called after that
            raise failed
        finally:
            del failed
