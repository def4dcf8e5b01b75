"""An answer of the guard, and what is written down about it (pure)."""

from typing import Self, final

import attrs

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.security.capabilities import Action
from airssys_wasm.security.wording import quoted, stamp


@final
@attrs.frozen(cache_hash=True)
class Decision:
    """One answer of the guard: whether, why, and about whom.

    `resource` is the printed id of a message's target, or of the component whose storage it is. `rule` names the
    policy's rule that forbids it, None where no rule does.
    """

    granted: bool
    reason: str
    component: ComponentId
    action: Action
    resource: str
    rule: str | None = None


@final
@attrs.frozen
class AuditEntry:
    """One line of the audit trail; `time` in seconds since 1970.

    `count` is how many decisions it stands for: 1, or in the summary of a window, the identical denials since the first
    one, which has an entry of its own; `time` is then the last one's.
    """

    component: ComponentId
    action: Action
    resource: str
    granted: bool
    reason: str
    time: float
    count: int = 1

    @classmethod
    def of(cls, decision: Decision, time: float, count: int = 1) -> Self:
        """Write a decision down."""
        return cls(
            decision.component, decision.action, decision.resource, decision.granted, decision.reason, time, count
        )

    def fields(self) -> dict[str, object]:
        """As a line of JSON has it."""
        return {
            "time": stamp(self.time),
            "component": str(self.component),
            "action": self.action,
            "resource": self.resource,
            "granted": self.granted,
            "reason": self.reason,
            "count": self.count,
        }

    def __str__(self) -> str:
        verdict = "granted" if self.granted else "denied"
        again = f", {self.count} more" if self.count > 1 else ""
        where = f"{quoted(str(self.component))} {self.action} {quoted(self.resource)}"
        return f"{verdict}: {where} ({quoted(self.reason)[1:-1]}{again})"


@final
@attrs.frozen
class Dropped:
    """A hole in one sink's trail, found at `time`: so many entries were lost because it was full, slow or failing."""

    count: int
    time: float

    def fields(self) -> dict[str, object]:
        """As a line of JSON has it."""
        return {"time": stamp(self.time), "dropped": self.count}

    def __str__(self) -> str:
        return f"dropped {self.count}"


Record = AuditEntry | Dropped
"""What sinks get."""
