"""What goes wrong in a run: counted, kept as dead letters, and, when it has to be, the end of the run."""

from collections.abc import Callable
from typing import Final, final

import anyio
import attrs

from airssys_wasm.core.errors import ActorStopped, AirssysError, DeliveryError, MailboxFull, PayloadTooLarge
from airssys_wasm.core.exits import ExitKind
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.mailboxes import MailboxRule
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import DeadLetter, DeadLetterReason
from airssys_wasm.system.pipeline_spec import OnError

_AGAIN: Final = (ExitKind.INTERRUPTED, ExitKind.LINKED)
"""Ends of an instance that took the message with it; whether the component ends, it tells itself."""

_SAMPLES: Final = 5
"""Error texts shown at the end of a run: enough to see what kind it is."""


@final
@attrs.define(eq=False)
class Ledger:
    """The errors of one run. What was offered to a component and refused or lost is in the dead letters already.

    `failure` is set once, by what ends the run; it cancels `scope`.
    """

    sender: ComponentId
    on_error: OnError
    record: Callable[[DeadLetter], None]
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    errors: int = attrs.field(default=0, init=False)
    lost: int = attrs.field(default=0, init=False)
    dropped: int = attrs.field(default=0, init=False)
    failure: str | None = attrs.field(default=None, init=False)
    samples: list[str] = attrs.field(factory=list, init=False)

    def error(self, target: ComponentId, payload: bytes, error: AirssysError) -> None:
        """A message was not handled: count it; a component that has ended, or `on_error = "stop"`, ends the run."""
        self.errors += 1
        text = str(error) if isinstance(error, DeliveryError) else f"{target}: {error}"  # the former names its target
        if not isinstance(error, DeliveryError) or error.message is None:  # else the system has recorded it
            refused = isinstance(error, PayloadTooLarge)
            reason = DeadLetterReason.PAYLOAD_TOO_LARGE if refused else DeadLetterReason.GUEST_ERROR
            self._dead_letter(target, payload, reason, error)
        if isinstance(error, ActorStopped) and not (error.reason and error.reason.kind in _AGAIN):
            self.end(target, error.reason or error)
        elif self.on_error is OnError.STOP:
            self.fail(text)
        elif len(self.samples) < _SAMPLES and text not in self.samples:
            self.samples.append(text)

    def overflow(self, target: ComponentId, rule: MailboxRule, payload: bytes, reason: DeadLetterReason) -> None:
        """The policy of a component's mailbox dropped a message, which the file asks for, or refused it: an error."""
        error = MailboxFull(target, ComponentMessage(self.sender, payload), rule=rule)
        self._dead_letter(target, payload, reason, error)
        if reason is DeadLetterReason.MAILBOX_FULL:
            self.error(target, payload, error)
        else:
            self.dropped += 1

    def lose(self, target: ComponentId, payload: bytes) -> None:
        """A message was under way when the run had to end."""
        self.lost += 1
        self._dead_letter(target, payload, DeadLetterReason.WITHDRAWN, None)

    def end(self, component: ComponentId, reason: object) -> None:
        """A component has ended for good, and the run with it."""
        self.fail(f"{component} will not run again: {reason}")

    def fail(self, text: str) -> None:
        """End the run, saying why; what comes later is a consequence and not told."""
        if self.failure is None:
            self.failure = text
            self.scope.cancel()

    def _dead_letter(
        self, target: ComponentId, payload: bytes, reason: DeadLetterReason, error: AirssysError | None
    ) -> None:
        message = ComponentMessage(self.sender, payload)
        self.record(DeadLetter(target, message, reason, error))
