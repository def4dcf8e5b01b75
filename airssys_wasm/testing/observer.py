"""An observer that remembers, and waits for what is to come."""

import asyncio
from collections.abc import Callable
from typing import final

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import DeadLetter, Event, EventKind


@final
class RecordingObserver:
    """Keeps every event and dead letter in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.dead_letters: list[DeadLetter] = []
        self._news = asyncio.Event()

    def event(self, event: Event) -> None:
        """Something happened to a component."""
        self.events.append(event)
        self._news.set()

    def dead_letter(self, letter: DeadLetter) -> None:
        """A message was not handled."""
        self.dead_letters.append(letter)
        self._news.set()

    def kinds(self, component: ComponentId | None = None) -> list[EventKind]:
        """What happened, to one component or to all."""
        return [event.kind for event in self.events if component in {None, event.component}]

    async def until(self, condition: Callable[["RecordingObserver"], object]) -> None:
        """Wait until a condition on what was recorded holds; one task at a time."""
        while not condition(self):
            self._news.clear()
            await self._news.wait()

    async def until_kind(self, kind: EventKind, times: int = 1) -> None:
        """Wait until something has happened that many times."""
        await self.until(lambda seen: seen.kinds().count(kind) >= times)
