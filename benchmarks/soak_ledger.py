"""Who sent what, and what became of it: each message from its sending to its one end.

    sent ─┬─► delivered ─┬─► ok | err (the guest answered)
          │              └─► dead letter (crashed, interrupted, stopped)
          └─► dead letter (refused, withdrawn, stopped before its turn)

An ask has an outcome besides, which has to go with the end. What is over is forgotten, so that a long run does not
grow; anything that happens to it afterwards is then a message that nobody sent.
"""

from collections import Counter
from typing import final

import attrs

from airssys_wasm import (
    ActorStopped,
    CallRefused,
    ComponentCrashed,
    ComponentId,
    ComponentMessage,
    GuestError,
    MailboxFull,
    PayloadTooLarge,
    RequestTimeout,
)
from airssys_wasm.core.exits import ExitKind
from airssys_wasm.core.messages import CONTENT_TYPE_CALL
from airssys_wasm.core.observations import DeadLetter
from benchmarks.soak_calls import Calls

MOST_VIOLATIONS = 50
MOST_EARLY = 10_000
"""Far more requests than can be on their way back to who made them."""

HANDLED = frozenset({"ok", "err"})

GOES_WITH = {
    "answer": {"ok"},
    "guest-error": {"err"},
    "crashed": {"crashed"},
    "stopped": {"actor-stopped", "interrupted"},
    "linked": {"actor-stopped", "crashed"},
    "withdrawn": {"expired"},
    "full": {"mailbox-full", "dropped-oldest", "dropped-newest"},
    "running": {"ok", "err", "crashed", "interrupted", "actor-stopped"},
    "interrupted": {"interrupted", "actor-stopped", "crashed"},  # a link, or a trap, was there first
    "too-large": {"payload-too-large"},
    "cancelled": {
        *("ok", "err", "crashed", "interrupted", "withdrawn", "actor-stopped"),
        *("mailbox-full", "dropped-oldest", "dropped-newest", "expired"),
    },
}
"""What may have become of the message of an ask that ended so."""

OUTCOMES = {
    GuestError: "guest-error",
    CallRefused: "refused",
    ComponentCrashed: "crashed",
    ActorStopped: "stopped",
    PayloadTooLarge: "too-large",
    MailboxFull: "full",
}

Key = tuple[int, ComponentId]


@attrs.define(eq=False)
class Entry:
    """One message on its way."""

    lane: object
    position: int
    asked: bool
    delivered: bool = False
    end: str | None = None
    outcome: str | None = None
    cut: bool = False


@final
@attrs.define(eq=False)
class Ledger:
    """The messages that have not ended, the counts of those that have, and every broken promise."""

    open: dict[Key, Entry] = attrs.field(factory=dict)
    sent_count: int = 0
    ends: Counter[str] = attrs.field(factory=Counter)
    outcomes: Counter[str] = attrs.field(factory=Counter)
    asks_begun: int = 0
    callbacks: Counter[str] = attrs.field(factory=Counter)
    requests: dict[str, object] = attrs.field(factory=dict)
    """Requests without their callback, by correlation id: the instance that made them."""
    _early: dict[str, None] = attrs.field(factory=dict)
    """Callbacks that came, or were lost, before it was known here that they are owed: the last few."""
    violations: list[str] = attrs.field(factory=list)
    calls: Calls = attrs.field(init=False)
    _positions: dict[tuple[object, ComponentId], list[int]] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.calls = Calls(self.violations)

    def sent(self, number: int, target: ComponentId, lane: object, *, asked: bool = False) -> None:
        """A message is on its way; within a lane messages to one target have to arrive in this order, None: in any."""
        key, positions = (number, target), self._positions.setdefault((lane, target), [0, 0])
        if key in self.open:
            self.violate(f"{key} was sent twice")
        positions[0] += 1
        self.open[key] = Entry(lane, positions[0], asked)
        self.sent_count += 1
        self.asks_begun += asked

    def delivered(self, number: int, target: ComponentId) -> None:
        """A guest gets a message."""
        entry = self._entry((number, target), "delivered")
        if entry is None:
            return
        if entry.delivered or entry.end:
            self.violate(f"{(number, target)} was delivered twice, or after its end as {entry.end}")
        entry.delivered = True
        positions = self._positions[entry.lane, target]
        if entry.lane is not None and entry.position <= positions[1]:
            self.violate(f"{(number, target)}: {entry.position} of {entry.lane} came after {positions[1]}")
        positions[1] = entry.position

    def ended(self, number: int, target: ComponentId, end: str) -> None:
        """A message has come to its end: ok, err, or the reason of a dead letter."""
        entry = self._entry((number, target), end)
        if entry is None:
            return
        if entry.end is not None:
            self.violate(f"{(number, target)} ended as {entry.end} and as {end}")
        elif end in HANDLED and not entry.delivered:
            self.violate(f"{(number, target)} ended as {end} and was not delivered")
        entry.end = end
        self.ends[end] += 1
        self._close((number, target), entry)

    def ask_ended(self, number: int, target: ComponentId, outcome: str) -> None:
        """An ask has returned or raised."""
        self.outcomes[outcome] += 1
        entry = self._entry((number, target), f"an ask ended as {outcome}")
        if entry is None:
            return
        if entry.outcome is not None:
            self.violate(f"the ask of {(number, target)} ended as {entry.outcome} and as {outcome}")
        if outcome == "withdrawn" and entry.delivered:
            self.violate(f"{(number, target)} was delivered and is said to be withdrawn")
        entry.outcome = outcome
        self._close((number, target), entry)

    def dead_letter(self, letter: DeadLetter) -> None:
        """A message, a callback or a call was lost and counted."""
        if (letter.message.metadata.content_type or "").startswith(CONTENT_TYPE_CALL):
            self.calls.lost(letter)
            return
        number = number_of(letter.message)
        if number is None:
            self.callbacks[f"lost: {letter.reason}"] += 1
            self.called_back(letter.message.metadata.correlation_id or "")
        else:
            self.ended(number, letter.target, str(letter.reason))

    def owes(self, correlation_id: str, requester: object) -> None:
        """A request was accepted. It may have waited so long for room that its callback is over already."""
        self.callbacks["owed"] += 1
        if correlation_id in self._early:
            del self._early[correlation_id]
        else:
            self.requests[correlation_id] = requester

    def called_back(self, correlation_id: str) -> object:
        """A callback has come or was lost; whose it was, None when that is not known yet or it was taken back."""
        requester = self.requests.pop(correlation_id, None)
        if requester is None:
            self._early[correlation_id] = None
            if len(self._early) > MOST_EARLY:
                del self._early[next(iter(self._early))]
        return requester

    def cut_off(self, number: int, targets: list[ComponentId]) -> None:
        """A broadcast was stopped half-way: those that nothing is heard of were perhaps never sent to."""
        for target in targets:
            entry = self.open.get((number, target))
            if entry is not None:
                entry.cut = True

    def violate(self, text: str) -> None:
        """Note a broken promise."""
        if len(self.violations) < MOST_VIOLATIONS:
            self.violations.append(text)

    def _entry(self, key: Key, what: str) -> Entry | None:
        entry = self.open.get(key)
        if entry is None:
            self.violate(f"{key}: {what}, and nobody has sent it, or it had ended")
        return entry

    def _close(self, key: Key, entry: Entry) -> None:
        if entry.end is None or (entry.asked and entry.outcome is None):
            return
        del self.open[key]
        if entry.outcome is not None and entry.end not in GOES_WITH[entry.outcome]:
            self.violate(f"{key}: the ask ended as {entry.outcome}, the message as {entry.end}")


def number_of(message: ComponentMessage) -> int | None:
    """The number that a message carries; None for a callback."""
    metadata, payload = message.metadata, message.payload.data
    if metadata.content_type is not None and metadata.content_type.startswith("n/"):
        return int(metadata.content_type[2:])
    if metadata.correlation_id is not None and not payload[:1].isalpha():
        return None
    return int(payload.rpartition(b"#")[2])


def outcome_of(exc: Exception) -> str:
    """What an ask or a call ended as that raised this."""
    if isinstance(exc, RequestTimeout):
        return exc.outcome
    if isinstance(exc, ActorStopped) and exc.reason is not None and exc.reason.kind is ExitKind.LINKED:
        return "linked"
    return next((name for kind, name in OUTCOMES.items() if isinstance(exc, kind)), f"unexpected {type(exc).__name__}")
