"""How an actor ended, as a value that goes up to its supervisor (pure)."""

from enum import StrEnum

import attrs


class ExitKind(StrEnum):
    """The ways to end; what follows from them is the supervisor's table."""

    CRASHED = "crashed"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    FAILED = "failed"


@attrs.frozen
class ExitReason:
    """One end of one actor: its kind, a few words, and the exception behind it where there is one."""

    kind: ExitKind
    detail: str = ""
    cause: BaseException | None = attrs.field(default=None, eq=False)

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else str(self.kind)
