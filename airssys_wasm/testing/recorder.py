"""What a running system says, kept for a test: every event and every dead letter, in order."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar, final

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import DeadLetter, DeadLetterReason, Event, EventKind
from airssys_wasm.system.events import Stream
from airssys_wasm.system.system import ActorSystem

Item = TypeVar("Item")

PATIENCE: Final = 10.0
"""Seconds until something that has to come is given up."""

_PAUSE_SECONDS: Final = 0.001


@final
class Recorder:
    """Keeps the events and dead letters of a system, from when it was made.

    What has happened by now is there at once, without a turn of the loop.

    Args:
        system: an entered one.

    Raises:
        RuntimeError: The system has not been entered.
    """

    def __init__(self, system: ActorSystem) -> None:
        self._event_stream, self._letter_stream = system.events(), system.dead_letters()
        self._events: list[Event] = []
        self._letters: list[DeadLetter] = []

    @property
    def events(self) -> list[Event]:
        """What happened to components.

        Raises:
            AssertionError: More happened between two looks than a stream holds, and is lost.
        """
        return _drained(self._event_stream, self._events)

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The messages that nobody handled; raises as `events` does."""
        return _drained(self._letter_stream, self._letters)

    def kinds(self, component: ComponentId | None = None) -> list[EventKind]:
        """What happened, to one component or to all."""
        return [event.kind for event in self.events if component in {None, event.component}]

    def letters(self) -> list[tuple[bytes, DeadLetterReason]]:
        """The payloads of the dead letters, each with its reason."""
        return [(letter.message.payload.data, letter.reason) for letter in self.dead_letters]

    async def until(self, condition: Callable[["Recorder"], object], *, timeout: float = PATIENCE) -> None:
        """Wait until a condition on what was recorded holds.

        Args:
            condition: gets this recorder; looked at again and again.
            timeout: seconds of the event loop's clock until it is given up.

        Raises:
            TimeoutError: It did not hold in time; the text says what did happen.
        """
        give_up = asyncio.get_running_loop().time() + timeout
        while not condition(self):
            if asyncio.get_running_loop().time() > give_up:
                raise TimeoutError(f"never came; events: {self.kinds()}, dead letters: {self.letters()}")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def until_kind(self, kind: EventKind | str, times: int = 1, *, timeout: float = PATIENCE) -> None:
        """Wait until something has happened that many times since this recorder was made; raises TimeoutError."""
        await self.until(lambda seen: seen.kinds().count(EventKind(kind)) >= times, timeout=timeout)


def _drained(stream: Stream[Item], into: list[Item]) -> list[Item]:
    into.extend(iter(stream.get_nowait, None))
    if stream.dropped:
        raise AssertionError(f"{stream.dropped} were lost: look at the recorder more often")
    return into
