"""Cutting a stream of bytes into messages (pure).

A framer gets the stream in chunks of any size and gives the messages that are complete. A message over `limit` is not
kept: its first bytes and its size go to `oversized`, so that a line without end takes no memory. Lines end at a
newline byte, which is not part of them (a carriage return before it is); the last line needs none. An empty line is a
message, an empty stream has none.
"""

from typing import Final, Protocol, final

import attrs

SAMPLE_BYTES: Final = 256
"""How much of an oversized message is kept, to recognise it by."""


@attrs.frozen
class Oversized:
    """A message that was over the limit: how it began, and how long it was."""

    sample: bytes = attrs.field(repr=False)
    size: int


class Framer(Protocol):
    """Chunks in, messages out; `oversized` collects what was refused."""

    oversized: list[Oversized]

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages that this chunk completes."""
        ...

    def end(self) -> list[bytes]:
        """What is left at the end of the stream; the framer can be used for another stream afterwards."""
        ...


@attrs.define(eq=False)
class _Pending:
    """The beginning of a message whose end has not been seen, never more of it than the limit and a chunk."""

    limit: int
    oversized: list[Oversized] = attrs.field(factory=list)
    size: int = attrs.field(default=0, init=False)
    _parts: list[bytes] = attrs.field(factory=list, init=False)

    def add(self, part: bytes) -> None:
        self.size += len(part)
        self._parts.append(part)
        if self.size > self.limit:
            self._parts = [b"".join(self._parts)[:SAMPLE_BYTES]]

    def complete(self) -> list[bytes]:
        """The message, or none when it was over the limit."""
        whole, size = b"".join(self._parts), self.size
        self._parts, self.size = [], 0
        if size <= self.limit:
            return [whole]
        self.oversized.append(Oversized(whole[:SAMPLE_BYTES], size))
        return []


@final
class LineFramer:
    """One message a line."""

    def __init__(self, limit: int) -> None:
        self._pending = _Pending(limit)
        self._limit = limit
        self._open = False
        self.oversized = self._pending.oversized

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes."""
        if not chunk:
            return []
        first, *lines = chunk.split(b"\n")
        self._pending.add(first)
        self._open = True
        if not lines:
            return []
        rest = lines.pop()
        complete = self._pending.complete()
        complete += lines if len(chunk) <= self._limit else self._fitting(lines)
        self._pending.add(rest)
        self._open = bool(rest)
        return complete

    def end(self) -> list[bytes]:
        """The last line, when no newline ended it."""
        was_open, self._open = self._open, False
        return self._pending.complete() if was_open else []

    def _fitting(self, lines: list[bytes]) -> list[bytes]:
        self.oversized.extend(Oversized(line[:SAMPLE_BYTES], len(line)) for line in lines if len(line) > self._limit)
        return [line for line in lines if len(line) <= self._limit]


@final
class BlockFramer:
    """One message for each `size` bytes; the last block may be shorter."""

    def __init__(self, size: int) -> None:
        self.oversized: list[Oversized] = []
        self._size = size
        self._parts: list[bytes] = []
        self._have = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The blocks that this chunk completes."""
        self._parts.append(chunk)
        self._have += len(chunk)
        if self._have < self._size:
            return []
        whole = b"".join(self._parts)
        cut = len(whole) - len(whole) % self._size
        self._parts, self._have = [whole[cut:]], len(whole) - cut
        return [whole[start : start + self._size] for start in range(0, cut, self._size)]

    def end(self) -> list[bytes]:
        """The last block, when it is not empty."""
        rest = b"".join(self._parts)
        self._parts, self._have = [], 0
        return [rest] if rest else []


@final
class WholeFramer:
    """The whole stream is one message, an empty one too."""

    def __init__(self, limit: int) -> None:
        self._pending = _Pending(limit)
        self.oversized = self._pending.oversized

    def feed(self, chunk: bytes) -> list[bytes]:
        """Nothing is complete before the end."""
        self._pending.add(chunk)
        return []

    def end(self) -> list[bytes]:
        """The whole stream."""
        return self._pending.complete()
