"""What a run tells while it runs and when it has ended (pure)."""

from collections.abc import Mapping
from typing import Final

import attrs

from airssys_wasm.core.observations import Compilation, DeadLetterReason

_LOST_BETWEEN: Final = (DeadLetterReason.CRASHED, DeadLetterReason.ACTOR_STOPPED)
"""What becomes of a message after its sender was told that it was accepted."""


@attrs.frozen
class Progress:
    """A run at one moment; `total_bytes` is None when only the end of the input will tell.

    `compiling` are the components that it waits for before it begins, or that are to replace others.
    """

    messages: int = 0
    bytes_read: int = 0
    total_bytes: int | None = None
    errors: int = 0
    compiling: tuple[Compilation, ...] = ()


@attrs.frozen
class StageSummary:
    """All instances of one component; `seconds` is time inside guest code.

    `messages` are those it was asked, `answers` what it gave to the next stages, `errors` the messages that ended in
    err, a crash or a refusal.
    """

    id: str
    messages: int
    answers: int
    errors: int
    restarts: int
    seconds: float


@attrs.frozen
class PipelineSummary:
    """A run that has ended.

    `messages` came from sources, `results` were written to sinks; `errors` counts messages that failed anywhere, `lost`
    those that were under way when the run had to end. Both are in the dead letters, here by reason, beside what
    components sent each other to no avail; `samples` are the first different error texts. `failure` says what ended the
    run before its input ended, None when nothing did. `drained` is True when it was asked to stop early. `learned` is
    the TOML of the least grants that would have been enough, None when the run was not to learn. `dropped` counts what
    the `mailbox` of a component dropped, as the file asks for: dead letters, but no errors.
    """

    messages: int
    bytes_read: int
    results: int
    errors: int
    lost: int
    seconds: float
    stages: tuple[StageSummary, ...]
    samples: tuple[str, ...] = ()
    dead_letters: Mapping[DeadLetterReason, int] = attrs.field(factory=dict)
    failure: str | None = None
    drained: bool = False
    learned: str | None = None
    dropped: int = 0

    @property
    def ok(self) -> bool:
        """Whether every message that was read, and every one that components sent each other, was handled.

        What a component was refused when it sent it, it knows of: that is its own affair.
        """
        gone = any(self.dead_letters.get(reason) for reason in _LOST_BETWEEN)
        return self.failure is None and not self.errors and not self.lost and not gone

    @property
    def denied(self) -> int:
        """Messages between components that no grant permitted, or that a policy or receiver refused."""
        return self.dead_letters.get(DeadLetterReason.DENIED, 0)

    @property
    def restarts(self) -> int:
        """Restarts of all stages together."""
        return sum(stage.restarts for stage in self.stages)

    @property
    def rate(self) -> float:
        """Messages read a second."""
        return self.messages / self.seconds if self.seconds > 0 else 0.0
