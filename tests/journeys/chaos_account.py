"""An account of what became of each message of a chaos."""

from collections import Counter
from typing import final

import attrs

from airssys_wasm import (
    ActorStopped,
    ComponentId,
    DeadLetter,
    DeadLetterReason,
    GuestError,
    MailboxFull,
    RequestTimeout,
)
from airssys_wasm.system.events import Stream

Key = tuple[int, ComponentId]


@final
@attrs.define(eq=False, repr=False)
class Account:
    """Every message by its number and target: what was sent, what a guest handled, what died and of what."""

    sent: Counter[Key] = attrs.field(factory=Counter)
    handled: Counter[Key] = attrs.field(factory=Counter)
    died: dict[Key, list[DeadLetter]] = attrs.field(factory=dict)
    ends: dict[Key, list[BaseException | None]] = attrs.field(factory=dict)
    """Of asks: the error, or None for an answer."""
    callbacks: Counter[str] = attrs.field(factory=Counter)
    owed: set[str] = attrs.field(factory=set)
    """Requests that were accepted, by correlation id, but for those that were taken back."""
    lost: set[str] = attrs.field(factory=set)
    """Callbacks that were dead letters."""
    others: Counter[DeadLetterReason] = attrs.field(factory=Counter)
    """Dead letters without a number: callbacks, and calls."""
    shutdown_errors: int = 0
    numbers: int = 0
    perhaps: set[Key] = attrs.field(factory=set)
    """Whose sending was cut off, perhaps before it."""

    def new(self, verb: str, key: str, target: ComponentId) -> tuple[Key, bytes]:
        """A message that is about to be sent."""
        self.numbers += 1
        self.sent[self.numbers, target] += 1
        return (self.numbers, target), f"{key} {verb} {'x' * 60 * (verb == 'large')}#{self.numbers}".encode()

    def read(self, letters: Stream[DeadLetter]) -> None:
        """What has died meanwhile."""
        while (letter := letters.get_nowait()) is not None:
            number = letter.message.payload.data.rpartition(b"#")[2]
            if b"#" in letter.message.payload.data:
                self.died.setdefault((int(number), letter.target), []).append(letter)
            else:
                self.others[letter.reason] += 1
                self.lost.add(request := letter.message.metadata.correlation_id or "")
                if letter.target.namespace == "host" and letter.reason is DeadLetterReason.ACTOR_STOPPED:
                    self.callbacks.pop(request, None)  # host code that had returned in the turn in which it was killed


def fits(end: BaseException | None, letters: list[DeadLetter]) -> bool:
    """Whether an ask's end goes with what became of its message."""
    reasons = {letter.reason for letter in letters}
    match end:
        case None | GuestError():
            return not letters
        case MailboxFull() | ActorStopped():
            return all(letter.error is end for letter in letters) or reasons == {DeadLetterReason.INTERRUPTED}
        case RequestTimeout(outcome="withdrawn"):
            return reasons <= {DeadLetterReason.EXPIRED, DeadLetterReason.DEADLOCK} and bool(letters)
        case _:
            return True
