"""What a soak is told of its components: all events, and the same once more by a monitor of each component."""

from collections import Counter
from collections.abc import Callable
from typing import final

import attrs

from airssys_wasm import ActorSystem, ComponentId, Event, EventKind
from airssys_wasm.system.events import Stream

MOST_EVENTS = 1_000_000

COUNTED = {
    EventKind.UPGRADED: "upgrades",
    EventKind.ROLLED_BACK: "rollbacks",
    EventKind.PASSIVATED: "passivations",
}
"""The counters of statistics that an event each stands for."""


@final
@attrs.define(eq=False)
class Watch:
    """Counts what it is told; `partners` says who ends with whom."""

    events: Counter[EventKind] = attrs.field(factory=Counter)
    stops: Counter[ComponentId] = attrs.field(factory=Counter)
    violations: list[str] = attrs.field(factory=list)
    partners: dict[ComponentId, ComponentId] = attrs.field(factory=dict)
    _system: ActorSystem = attrs.field(kw_only=True)
    _stream: Stream[Event] = attrs.field(init=False)
    _monitors: dict[ComponentId, Stream[Event]] = attrs.field(factory=dict)
    _owed: Counter[tuple[ComponentId, EventKind]] = attrs.field(factory=Counter)
    """Events that all readers are told, less those that monitors were."""

    def __attrs_post_init__(self) -> None:
        self._stream = self._system._observatory.events.open(MOST_EVENTS)

    def open(self, component: ComponentId) -> None:
        """Watch one component until it is gone, for which it may be open already: of a load that failed."""
        self._read_monitor(component)
        if component not in self._monitors:
            self._monitors[component] = self._system.monitor(component)

    def link(self, one: ComponentId, other: ComponentId) -> None:
        """They end together, as far as a link between them is not taken back."""
        self.partners[one], self.partners[other] = other, one

    def read(self) -> None:
        """What was told meanwhile."""
        for component in [*self._monitors]:
            self._read_monitor(component)
        while (event := self._stream.get_nowait()) is not None:
            self._note(event)

    def check(self, loads: Counter[ComponentId], total: Callable[[str], int]) -> None:
        """Every load has stopped once, monitors told what was told to all, and statistics count the same."""
        if loads != self.stops:
            self.violations.append(f"loads that did not stop once: {loads - self.stops}, {self.stops - loads}")
        if odd := {what: count for what, count in self._owed.items() if count}:
            self.violations.append(f"events less what monitors were told: {odd}")
        for kind, counter in COUNTED.items():
            if self.events[kind] != (counted := total(counter)):
                self.violations.append(f"{self.events[kind]} events {kind}, and statistics count {counted} {counter}")

    def _read_monitor(self, component: ComponentId) -> None:
        monitor = self._monitors.get(component)
        while monitor is not None and (event := monitor.get_nowait()) is not None:
            self._owed[component, event.kind] -= 1
            if event.kind is EventKind.STOPPED:
                del self._monitors[component]
        if monitor is not None and monitor.dropped:
            self.violations.append(f"the monitor of {component} dropped {monitor.dropped} events")

    def _note(self, event: Event) -> None:
        component, kind = event.component, event.kind
        self.events[kind] += 1
        if kind is EventKind.STOPPED:
            self.stops[component] += 1
        if component.namespace == "soak":
            self._owed[component, kind] += 1
        if kind is EventKind.LINKED:
            partner = self.partners.get(component)
            if event.reason is None or f"to {partner}," not in event.reason.detail:
                self.violations.append(f"{component} was ended by a link: {event.reason}, its partner is {partner}")
