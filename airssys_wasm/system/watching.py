"""What a system lets be seen: of itself, events and dead letters; of a binary, what it imports and exports."""

import abc
from pathlib import Path

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import Compilation, ComponentReport, DeadLetter, Event, SystemStatistics, Wait
from airssys_wasm.system.builder import Parts, Settings
from airssys_wasm.system.events import Observatory, Stream


class Watching(abc.ABC):
    """The part of `ActorSystem` for those who watch."""

    _settings: Settings
    _observatory: Observatory

    @abc.abstractmethod
    def _parts(self) -> Parts:
        """The objects of the running system; raises RuntimeError when it has not been entered."""

    def statistics(self) -> SystemStatistics:
        """The whole system at this moment, in one step: some 10 µs for each component, 200 ms for 20,000."""
        parts, observed = self._parts(), self._observatory
        return SystemStatistics(
            components={child.id: child.statistics() for child in parts.registry},
            dead_letters=dict(observed.dead_letter_counts),
            dropped_events=observed.events.dropped,
            dropped_dead_letters=observed.dead_letters.dropped,
            pending_requests=len(parts.router.requests),
            late_answers=parts.router.requests.late_answers,
            dropped_requests=parts.router.requests.dropped,
            abandoned_threads=parts.host.abandoned_threads,
            deadlocks=parts.supervisor.delivery.waits.rings,
        )

    def events(self) -> Stream[Event]:
        """What happens to components from now on, for one reader; ends with the system."""
        return self._observatory.events.open()

    def dead_letters(self) -> Stream[DeadLetter]:
        """The messages that nobody handles from now on, for one reader; ends with the system."""
        return self._observatory.dead_letters.open()

    def compiling(self) -> tuple[Compilation, ...]:
        """What is being compiled at this moment, in threads beside the loop, the longest first.

        How far a compilation is wasmtime does not tell; on one core it takes some seconds for a megabyte of code.
        """
        return tuple(self._parts().host.compiling)

    def waiting(self) -> tuple[Wait, ...]:
        """Who waits at this moment, for whom and since when, the longest first.

        Listed is every wait for room in a mailbox, and of served handlers every wait for an answer, in one step of some
        microseconds for each. `waits.py` says which rings among them are refused, and what cannot be seen.
        """
        return self._parts().supervisor.delivery.waits.now()

    def record_dead_letter(self, letter: DeadLetter) -> None:
        """Report a message that host code could not deliver or use."""
        self._observatory.dead_letter(letter)

    def monitor(self, id: ComponentId) -> Stream[Event]:  # noqa: A002 - the stable name
        """What happens to one component from now on, for one reader; ends after its `stopped`, or with the system.

        It may be opened before the component is loaded. A reader that is too slow loses the oldest events, counted.
        """
        return self._observatory.monitor(id)

    async def inspect(self, source: bytes | Path) -> ComponentReport:
        """Say what a component imports and exports and whether it fits, without running it.

        Raises:
            InvalidComponent: It is none.

        Cancellation: the result is lost.
        """
        parts = self._parts()
        return await parts.host.inspect(source, self._settings.limits)
