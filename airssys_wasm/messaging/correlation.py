"""Requests that wait for their answer, as a table (pure): open, resolve, cancel, expire.

| a request ends by | then |
|---|---|
| resolve | its requester gets one callback |
| expire | its requester gets one callback, a timeout |
| cancel, forget | nothing: the requester has said so, or is gone |

It ends once: what comes after its end finds nothing. Time is the caller's and is only compared.
"""

import heapq
from typing import final

import attrs

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.ports import HostState


@attrs.frozen
class Pending:
    """One request under way; `requester` stands for the instance that made it, a restart makes another."""

    correlation_id: str
    requester: HostState = attrs.field(repr=False)
    target: ComponentId
    expires_at: float


@final
class PendingRequests:
    """Every request of a system that has not ended, by its correlation id."""

    def __init__(self) -> None:
        self._open: dict[str, Pending] = {}
        self._by_requester: dict[HostState, set[str]] = {}
        self._due: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._open)

    def open(self, pending: Pending) -> None:
        """Begin a request; its correlation id must be new."""
        self._open[pending.correlation_id] = pending
        self._by_requester.setdefault(pending.requester, set()).add(pending.correlation_id)
        heapq.heappush(self._due, (pending.expires_at, pending.correlation_id))

    def count(self, requester: HostState) -> int:
        """How many requests of one instance have not ended."""
        return len(self._by_requester.get(requester, ()))

    def resolve(self, correlation_id: str) -> Pending | None:
        """End a request whose answer has come; None when it has ended before."""
        pending = self._open.pop(correlation_id, None)
        if pending is not None:
            self._leave(pending)
        return pending

    def cancel(self, correlation_id: str, requester: HostState) -> Pending | None:
        """End a request for its own requester; None when there is none of that requester's."""
        pending = self._open.get(correlation_id)
        return self.resolve(correlation_id) if pending is not None and pending.requester is requester else None

    def expire(self, now: float) -> list[Pending]:
        """End all that are due, the first due first."""
        ended = []
        while self._due and self._due[0][0] <= now:
            pending = self.resolve(heapq.heappop(self._due)[1])
            if pending is not None:
                ended.append(pending)
        return ended

    def forget(self, requester: HostState) -> list[Pending]:
        """End all of an instance that is gone."""
        ids = sorted(self._by_requester.get(requester, ()))
        return [pending for correlation_id in ids if (pending := self.resolve(correlation_id)) is not None]

    def next_due(self) -> float | None:
        """When the next request expires; None when there is none."""
        while self._due and self._due[0][1] not in self._open:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _leave(self, pending: Pending) -> None:
        left = self._by_requester[pending.requester]
        left.discard(pending.correlation_id)
        if not left:
            del self._by_requester[pending.requester]
        if (
            len(self._due) > 2 * len(self._open) + 64
        ):  # those that ended early; drop them before they outnumber the rest
            self._due = [entry for entry in self._due if entry[1] in self._open]
            heapq.heapify(self._due)
