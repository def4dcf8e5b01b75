"""Identical denials in one entry, so that a guest that keeps asking does not fill the audit trail (pure)."""

from collections import OrderedDict
from typing import Final, final

import attrs

from airssys_wasm.security.decision import AuditEntry, Decision

WINDOW: Final = 5.0
"""Seconds from a denial during which identical ones are counted instead of written."""

MOST_WINDOWS: Final = 1024
"""Windows open at a time; a guest that addresses ever new ids closes the oldest ones early, it does not fill memory."""


@final
@attrs.define
class _Window:
    closes_at: float
    last: float
    count: int = 0


@final
@attrs.define(eq=False)
class Folding:
    """Which entries a decision gives, and when.

    | decision | entries |
    |---|---|
    | granted | one, at once |
    | denied | one, at once; it opens a window of `WINDOW` seconds |
    | denied again, in the window, same component, action, resource and reason | none |
    | a window closes | one for all that were folded, if any were |

    The counts of all entries add up to the number of decisions. A clock that was set back closes the window.
    """

    _windows: OrderedDict[Decision, _Window] = attrs.field(factory=OrderedDict, init=False)

    def take(self, decision: Decision, now: float) -> list[AuditEntry]:
        """Decide what is to be written for a decision; summaries that are due come first."""
        due = self.due(now) if self._windows else []
        if decision.granted:
            return [*due, AuditEntry.of(decision, now)]
        window = self._windows.get(decision)
        if window is not None and window.last <= now < window.closes_at:
            window.last = now
            window.count += 1
            return due
        return [*due, *self._reopened(decision, now), AuditEntry.of(decision, now)]

    def due(self, now: float) -> list[AuditEntry]:
        """Close the windows that have reached their end."""
        entries = []
        while self._windows and next(iter(self._windows.values())).closes_at <= now:
            entries += _summary(*self._windows.popitem(last=False))
        return entries

    def flush(self) -> list[AuditEntry]:
        """Close all windows."""
        entries = [entry for item in self._windows.items() for entry in _summary(*item)]
        self._windows.clear()
        return entries

    def next_due(self) -> float | None:
        """When the next window closes; None when none is open."""
        return next(iter(self._windows.values())).closes_at if self._windows else None

    def _reopened(self, decision: Decision, now: float) -> list[AuditEntry]:
        """Open a window, and close the one it takes the place of."""
        old = self._windows.pop(decision, None)
        entries = [] if old is None else _summary(decision, old)
        if len(self._windows) >= MOST_WINDOWS:
            entries += _summary(*self._windows.popitem(last=False))
        self._windows[decision] = _Window(now + WINDOW, now)
        return entries


def _summary(decision: Decision, window: _Window) -> list[AuditEntry]:
    return [AuditEntry.of(decision, window.last, window.count)] if window.count else []
