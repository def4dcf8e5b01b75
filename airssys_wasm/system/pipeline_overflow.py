"""What is in front of a component whose mailbox does not make senders wait, or keeps the latest of each key.

In a pipeline the messages of a component wait in front of its instances, not in their mailboxes. So the policy of
`[[component]] mailbox` holds there, within the bounds of the mailbox: `Limits.mailbox_capacity` and `mailbox_bytes`.

| rule | a message that finds no room | counts as |
|---|---|---|
| `reject` | is refused | an error |
| `drop-oldest`, `drop-newest` | drops the first that waits, or is dropped | dropped, no error: the file asks for it |
| `latest-by-key` | waits, and holds up what is before it; one with a key that waits replaces that one | the same |

Each is a dead letter. With several instances and no key a message is dropped only when none of them has room.
"""

from collections.abc import Callable
from typing import final

import attrs

from airssys_wasm.core.mailboxes import MailboxRule
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.system.pipeline_channel import Channel
from airssys_wasm.system.pipeline_spec import ComponentSpec

Lose = Callable[[bytes, DeadLetterReason], object]


@final
@attrs.define(eq=False)
class PolicyChannel(Channel):
    """A channel with a mailbox's policy; `lose` is told of each message that nobody will get."""

    rule: MailboxRule = attrs.field(kw_only=True)
    key_of: Callable[[bytes], bytes] = attrs.field(default=lambda _: b"", kw_only=True)
    lose: Lose = attrs.field(kw_only=True)
    _taken: int = attrs.field(default=0, init=False)
    _places: dict[bytes, int] = attrs.field(factory=dict, init=False)
    """For each key that waits, or has waited, the number of its message, counted from the first one ever."""

    def put_nowait(self, payload: bytes) -> bool:
        """Put a message, or do what the rule says; False when it has to wait."""
        if self.offer(payload):
            return True
        match self.rule:
            case MailboxRule.DROP_OLDEST:
                while not self.offer(payload) and (oldest := self.take_nowait()) is not None:
                    self.lose(oldest, DeadLetterReason.DROPPED_OLDEST)
            case MailboxRule.DROP_NEWEST:
                self.lose(payload, DeadLetterReason.DROPPED_NEWEST)
            case MailboxRule.REJECT:
                self.lose(payload, DeadLetterReason.MAILBOX_FULL)
            case _:
                return False
        return True

    def offer(self, payload: bytes) -> bool:
        """Put a message if there is room, or in the place of one with its key."""
        key = self.key_of(payload)
        place = self._places.get(key, -1) - self._taken if key else -1
        if place >= 0:
            return self._replace(place, payload)
        if not super().offer(payload):
            return False
        if key:
            self._places[key] = self._taken + len(self) - 1
            if len(self._places) > 2 * self.capacity:
                self._places = {key: number for key, number in self._places.items() if number >= self._taken}
        return True

    def take_nowait(self) -> bytes | None:
        """The next message; None when there is none now."""
        payload = super().take_nowait()
        self._taken += payload is not None
        return payload

    def take_all(self) -> list[bytes]:
        """All messages there are now."""
        payloads = super().take_all()
        self._taken += len(payloads)
        return payloads

    def _replace(self, place: int, payload: bytes) -> bool:
        older = self._items[place]
        if self.size - len(older) >= self.capacity_bytes:
            return False
        self._items[place] = payload
        self.size += len(payload) - len(older)
        self.lose(older, DeadLetterReason.SUPERSEDED)
        return True


def channel_to(spec: ComponentSpec, producers: int, lose: Lose) -> Channel:
    """The channel in front of one instance of a component."""
    policy, limits = spec.mailbox, spec.limits
    if policy.rule is MailboxRule.WAIT:
        return Channel(producers)
    bounds = limits.mailbox_capacity, limits.mailbox_bytes
    if policy.key is None:
        return PolicyChannel(producers, *bounds, rule=policy.rule, lose=lose)
    return PolicyChannel(producers, *bounds, rule=policy.rule, key_of=policy.key.of, lose=lose)
