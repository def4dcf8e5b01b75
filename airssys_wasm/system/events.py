"""Streams of what happens: bounded, one queue per reader, and nobody waits for a reader."""

import asyncio
from collections import deque
from typing import Final, Generic, Self, TypeVar, final
from weakref import WeakSet, WeakValueDictionary

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import DeadLetter, DeadLetterReason, Event, EventKind

Item = TypeVar("Item")

READER_CAPACITY: Final = 1024
"""Items that wait for one reader: as many as messages for one actor by default."""


@final
class Stream(Generic[Item]):
    """What one reader gets, from the moment it was opened; an async iterator that ends with the system.

    A reader that is too slow loses the oldest items; `dropped` counts them. Only one task at a time reads.
    """

    def __init__(self, source: "Source[Item]", capacity: int) -> None:
        self.dropped = 0
        self._source = source
        self._items: deque[Item] = deque(maxlen=capacity)
        self._bell = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        """The next item; cancellation loses none."""
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            self._bell.clear()
            await self._bell.wait()
        return self._items.popleft()

    def get_nowait(self) -> Item | None:
        """The next item, None when there is none now."""
        return self._items.popleft() if self._items else None

    async def aclose(self) -> None:
        """Stop reading; what is left is forgotten."""
        self._source.forget(self)
        self._items.clear()
        self.end()

    def put(self, item: Item) -> bool:
        """Add an item; whether an older one had to go."""
        full = len(self._items) == self._items.maxlen
        self.dropped += full
        self._items.append(item)
        self._bell.set()
        return full

    def end(self) -> None:
        """Nothing more will come; what is there can still be read."""
        self._closed = True
        self._bell.set()


@final
class Source(Generic[Item]):
    """The open streams of one kind; a stream that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        self.dropped = 0
        self._streams: WeakSet[Stream[Item]] = WeakSet()
        self._ended = False

    def open(self, capacity: int = READER_CAPACITY) -> Stream[Item]:
        """A stream of what happens from now on; at its end already when the source has ended."""
        stream = Stream(self, capacity)
        if self._ended:
            stream.end()
        else:
            self._streams.add(stream)
        return stream

    def put(self, item: Item) -> None:
        """Give an item to every reader."""
        if self._streams:  # as a rule nobody reads, and to go through a weak set costs much even then
            for stream in self._streams:
                self.dropped += stream.put(item)

    def forget(self, stream: Stream[Item]) -> None:
        """Give a reader nothing more."""
        self._streams.discard(stream)

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        for stream in self._streams:
            stream.end()


@final
class Observatory:
    """The observer of a system: counts, and passes on to whoever reads."""

    def __init__(self) -> None:
        self.events: Source[Event] = Source()
        self._monitors: WeakValueDictionary[ComponentId, Source[Event]] = WeakValueDictionary()
        self.dead_letters: Source[DeadLetter] = Source()
        self._ended = False
        self.dead_letter_counts = dict.fromkeys(DeadLetterReason, 0)

    def event(self, event: Event) -> None:
        """Something happened to a component."""
        self.events.put(event)
        monitors = self._monitors.get(event.component)
        if monitors is not None:
            monitors.put(event)
            if event.kind is EventKind.STOPPED:
                del self._monitors[event.component]
                monitors.end()

    def monitor(self, component: ComponentId) -> Stream[Event]:
        """What happens to one component from now on; it ends with the component. Its readers keep it alive."""
        monitors = self._monitors.get(component)
        if monitors is None:
            monitors = Source[Event]()
            self._monitors[component] = monitors
        if self._ended:
            monitors.end()
        return monitors.open()

    def dead_letter(self, letter: DeadLetter) -> None:
        """A message was not handled."""
        self.dead_letter_counts[letter.reason] += 1
        self.dead_letters.put(letter)

    def end(self) -> None:
        """The system has ended."""
        self._ended = True
        for source in (self.events, *self._monitors.values()):
            source.end()
        self.dead_letters.end()
