"""The answers to the requests of one instance, on their way to it.

| the instance | an answer |
|---|---|
| has the mailbox | goes into it |
| is aside, for an upgrade | is held, and goes into the mailbox when the instance has got that back |
| has ended | is dropped, and so are the requests that wait for one |
"""

from typing import final

import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.core.ports import HostState


@final
@attrs.define(eq=False)
class Callbacks:
    """Made with the instance, whose `HostState` is told where its answers go."""

    child: Child
    state: HostState
    _waiting: dict[str, Envelope] | None = attrs.field(default=None, init=False)
    """None until there was an answer."""
    _held: list[Envelope] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.state.take_callback, self.state.drop_callback = self.take, self.drop

    def take(self, message: ComponentMessage) -> bool:
        """Put an answer into the mailbox; False once that is closed."""
        envelope = Envelope(message, callback=True, instance=self.state)
        if not self._put(envelope):
            return False
        if message.metadata.correlation_id is not None:
            self._waiting = {} if self._waiting is None else self._waiting
            self._waiting[message.metadata.correlation_id] = envelope
        return True

    def drop(self, correlation_id: str) -> None:
        """Take back an answer that waits; nothing when it has been delivered."""
        envelope = None if self._waiting is None else self._waiting.pop(correlation_id, None)
        if envelope is not None:
            self.child.withdraw(envelope, DeadLetterReason.WITHDRAWN)

    def is_due(self, envelope: Envelope) -> bool:
        """Whether what came out of the mailbox is this instance's to handle; an answer then waits no longer.

        The answer to another instance goes back to that one if it is aside, and is a dead letter if it has ended.
        """
        if envelope.instance is self.state and self._waiting is not None:
            self._waiting.pop(envelope.message.metadata.correlation_id or "", None)
        if envelope.lost:
            return False
        if envelope.instance is None or envelope.instance is self.state:
            return True
        other = envelope.instance.take_callback
        if other is None or not other(envelope.message):
            self.child.lose(envelope, DeadLetterReason.REQUESTER_GONE)
        return False

    def hold(self) -> None:
        """The instance is aside."""
        self._held = []

    def release(self) -> None:
        """The instance has the mailbox again."""
        held, self._held = self._held or [], None
        for envelope in held:
            if not envelope.lost and not self._put(envelope):
                self.child.lose(envelope, DeadLetterReason.REQUESTER_GONE)

    def end(self) -> None:
        """The instance has ended: no answer reaches the next one."""
        self.state.take_callback = self.state.drop_callback = None
        for envelope in self._held or ():
            self.child.lose(envelope, DeadLetterReason.REQUESTER_GONE)
        self._held = None
        if self.state.outbox is not None:
            self.state.outbox.forget(self.state)

    def _put(self, envelope: Envelope) -> bool:
        if self._held is not None:
            self._held.append(envelope)
            return True
        return self.child.mailbox.put_callback(envelope)
