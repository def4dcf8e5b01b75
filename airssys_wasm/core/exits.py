"""How an actor ended, as a value that goes up to its supervisor (pure).

AirssysError
└─ LinkBroken    a block of host code stood on a component, which has ended
"""

from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

from airssys_wasm.core.errors import AirssysError

if TYPE_CHECKING:
    from airssys_wasm.core.ids import ComponentId


class ExitKind(StrEnum):
    """The ways to end; what follows from them is the supervisor's table. `linked`: with another one."""

    CRASHED = "crashed"
    LINKED = "linked"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    FAILED = "failed"
    PASSIVATED = "passivated"


@attrs.frozen
class ExitReason:
    """One end of one actor: its kind, a few words, and the exception behind it where there is one."""

    kind: ExitKind
    detail: str = ""
    cause: BaseException | None = attrs.field(default=None, eq=False)

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else str(self.kind)


class LinkBroken(AirssysError):
    """The component that a block was linked to has ended; `reason` says how, the cause is the trap if there is one."""

    def __init__(self, component: "ComponentId", reason: ExitReason) -> None:
        super().__init__(f"{component} has ended: {reason}")
        self.component, self.reason = component, reason
