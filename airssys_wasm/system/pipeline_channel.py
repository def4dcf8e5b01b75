"""What lies between two stages of a pipeline: bounded channels, and the choice of an instance.

A channel is bounded by messages and by bytes (one message always fits), so that a slow stage holds up the one before
it, back to the source, and memory does not depend on the size of the input. Both sides wait rarely: a producer that
found it full goes on when half of it is free, so that both run in bursts.

Order: one consumer takes what each producer put in the order of its puts. A chain of single instances therefore keeps
the order of its source; with several instances the order holds for each pair of instances and, with a key, for each
key as far as equal keys travel together.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol, final

import attrs

from airssys_wasm.core.keys import Key
from airssys_wasm.core.limits import MIB

CAPACITY: Final = 128
"""Messages between two stages: enough for bursts of 64 a task switch, few enough to finish after a signal to stop."""

CAPACITY_BYTES: Final = 4 * MIB
"""Bytes between two stages, plus at most one message."""


@attrs.define(eq=False)
class Channel:
    """A bounded queue with any number of producers and one consumer; it ends when each producer has closed."""

    producers: int
    capacity: int = CAPACITY
    capacity_bytes: int = CAPACITY_BYTES
    size: int = attrs.field(default=0, init=False)
    _items: deque[bytes] = attrs.field(factory=deque, init=False)
    _consumer: "asyncio.Future[None] | None" = attrs.field(default=None, init=False)
    _enough: int = attrs.field(default=1, init=False)
    _waiting: "list[asyncio.Future[None]]" = attrs.field(factory=list, init=False)

    def __len__(self) -> int:
        return len(self._items)

    def offer(self, payload: bytes) -> bool:
        """Put a message; False when there is no room."""
        if len(self._items) >= self.capacity or self.size >= self.capacity_bytes:
            return False
        self._items.append(payload)
        self.size += len(payload)
        if self._consumer is not None and (len(self._items) >= self._enough or self._half_full()):
            self._ring()
        return True

    def put_nowait(self, payload: bytes) -> bool:
        """Put a message, or be rid of it in another way; False when it has to wait for room."""
        return self.offer(payload)

    async def put(self, payload: bytes) -> None:
        """Put a message as soon as there is room; when cancelled, it was not put."""
        while not self.put_nowait(payload):
            await room_in([self])

    def take_nowait(self) -> bytes | None:
        """The next message; None when there is none now."""
        if not self._items:
            return None
        payload = self._items.popleft()
        self.size -= len(payload)
        if self._waiting and not self._half_full():
            self._wake_producers()
        return payload

    def take_all(self) -> list[bytes]:
        """All messages there are now."""
        payloads = list(self._items)
        self._items.clear()
        self.size = 0
        self._wake_producers()
        return payloads

    async def wait(self, enough: int = 1) -> bool:
        """Wait until so many messages are there, it is half full, or no more will come; False at the very end."""
        if self.producers and len(self._items) < enough and not self._half_full():
            self._enough = enough
            self._consumer = asyncio.get_running_loop().create_future()
            try:
                await self._consumer
            finally:
                self._consumer = None
        return bool(self._items or self.producers)

    def close(self) -> None:
        """One producer has put its last message."""
        self.producers -= 1
        if not self.producers:
            self._ring()

    def end(self) -> None:
        """Nothing more will come, whatever producers there still are."""
        self.producers = 0
        self._ring()

    def call_on_room(self, waiter: "asyncio.Future[None]") -> None:
        """Complete the future when there is room again."""
        self._waiting = [other for other in self._waiting if not other.done()]
        self._waiting.append(waiter)

    def _half_full(self) -> bool:
        return 2 * len(self._items) > self.capacity or 2 * self.size > self.capacity_bytes

    def _ring(self) -> None:
        if self._consumer is not None and not self._consumer.done():
            self._consumer.set_result(None)

    def _wake_producers(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)


class Outlet(Protocol):
    """Where messages go: a channel, or one of several by turn or by key."""

    def put_nowait(self, payload: bytes) -> bool:
        """Put a message; False when there is no room."""
        ...

    async def put(self, payload: bytes) -> None:
        """Put a message as soon as there is room."""
        ...


@final
@attrs.define(eq=False)
class InTurn:
    """Each instance gets a message in its turn; one that has no room is passed over until it has."""

    channels: Sequence[Channel]
    _next: int = attrs.field(default=0, init=False)

    def put_nowait(self, payload: bytes) -> bool:
        """Put a message; False when no instance has room."""
        for _ in self.channels:
            channel = self.channels[self._next]
            self._next = (self._next + 1) % len(self.channels)
            if channel.offer(payload):
                return True
        taken = self.channels[self._next].put_nowait(payload)
        self._next = (self._next + taken) % len(self.channels)
        return taken

    async def put(self, payload: bytes) -> None:
        """Put a message as soon as any instance has room."""
        while not self.put_nowait(payload):
            await room_in(self.channels)


@final
@attrs.define(eq=False)
class ByKey:
    """Equal keys go to the same instance, also when only others have room."""

    channels: Sequence[Channel]
    key: Key

    def put_nowait(self, payload: bytes) -> bool:
        """Put a message; False when its instance has no room."""
        return self.channels[self.key.instance(payload, len(self.channels))].put_nowait(payload)

    async def put(self, payload: bytes) -> None:
        """Put a message as soon as its instance has room."""
        await self.channels[self.key.instance(payload, len(self.channels))].put(payload)


def outlet_to(channels: Sequence[Channel], key: Key | None) -> Outlet:
    """The way to the instances of a component, or to a sink."""
    if len(channels) == 1:
        return channels[0]
    return InTurn(channels) if key is None else ByKey(channels, key)


async def room_in(channels: Sequence[Channel]) -> None:
    """Wait until one of the channels, all of them full, has room again."""
    waiter = asyncio.get_running_loop().create_future()
    for channel in channels:
        channel.call_on_room(waiter)
    await waiter
