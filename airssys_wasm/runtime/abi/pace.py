"""How far a conversion goes at a time: a large value is for a thread of its own, which pauses for others.

How large a value is shows only when it is walked, which takes as long as converting it does. So a conversion begins at
once and counts its steps. One that is bound ends with `Heavy` at the bound, which costs half a tick at most, and is
begun anew in a thread.

| what | steps |
|---|---|
| an item of a list or tuple, a field of a record, a flag that is set | 1 |
| the value in an option, a result, a variant | 1 |
| flags, a handle | `DEAR_STEPS` more |
| text, a `list<u8>` | 1 for each `TEXT_STEP` bytes, or `BYTE_STEP` |
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, Self, final

if TYPE_CHECKING:
    from airssys_wasm.runtime.abi.handles import Handles

MOST_STEPS: Final = 512
"""Steps of about a microsecond that a conversion on the event loop may take: half a tick."""

TEXT_STEP: Final = 1024
"""Bytes of text that take a microsecond or two where they are not ASCII, and less where they are."""

BYTE_STEP: Final = 32
"""Bytes of a `list<u8>`, with an image of 32 bytes each, that wasmtime and we copy in a microsecond."""

DEAR_STEPS: Final = 4
"""For what takes several calls of C functions, or of an enum's own."""

_PAUSE_STEPS: Final = 200
"""Steps in a thread during which no other Python thread runs: some 200 µs."""


class Heavy(Exception):
    """A value takes more steps than its conversion may."""


class Oversized(Exception):
    """A value is over the limit that its conversion was given."""


class Withdrawn(BaseException):
    """A conversion is no longer wanted; raised in its thread, where nobody who takes any Exception is to take it."""


class Paced:
    """One conversion. Without bound, unless it is given one."""

    left = 1 << 62
    in_thread = False
    withdrawn = False
    """Set by the loop: nobody waits for it any more."""
    rest: "Callable[[], object]" = staticmethod(lambda: time.sleep(0))
    """What it does in a pause: whoever waits for the GIL gets it."""

    def bound(self) -> Self:
        """It is going to be on the loop, or on a thread that others wait for."""
        self.left = MOST_STEPS
        return self

    def unbound(self) -> None:
        """It is begun anew, in a thread of its own."""
        self.in_thread, self.left = True, _PAUSE_STEPS

    def spend(self, steps: int) -> None:
        """Count steps that are going to be taken; raises Heavy or Withdrawn."""
        self.left -= steps
        if self.left < 0:
            self._pause()

    def parts(self, count: int) -> Iterable[range]:
        """Go through items and count them: all at once, but a few at a time in a thread."""
        if self.in_thread and count > _PAUSE_STEPS:
            return self._few_at_a_time(count)
        self.spend(count)
        return (range(count),)

    def _few_at_a_time(self, count: int) -> Iterator[range]:
        for start in range(0, count, _PAUSE_STEPS):
            part = range(start, min(count, start + _PAUSE_STEPS))
            self.spend(len(part))
            yield part

    def _pause(self) -> None:
        if not self.in_thread:
            raise Heavy
        if self.withdrawn:
            raise Withdrawn
        self.left = _PAUSE_STEPS
        self.rest()


@final
class Lifting(Paced):
    """One conversion to Python: the resources of the Store that the images are from, and how large the value is."""

    trial = False
    """Whether it is only to see how long it takes: no handle is taken, and the value is of no use."""

    def __init__(self, handles: "Handles | None" = None, most: int | None = None) -> None:
        self.handles, self.most = handles, most
        self.size = 0
        """Bytes of text and bytes, and one for each item and field; no further than to what is over the limit."""

    def tried(self) -> "Lifting":
        """A bound trial of the same: a value with handles in it cannot be begun anew once some have been taken."""
        trial = Lifting(self.handles)
        trial.trial = True
        return trial.bound()

    def unbound(self) -> None:
        """It is begun anew, in a thread of its own."""
        super().unbound()
        self.size = 0

    def grow(self, size: int, steps: int) -> None:
        """Count what is going to be lifted; raises Heavy, Withdrawn, or Oversized when it is far over `most`."""
        self.size += size
        self.left -= steps
        if self.left < 0:
            self._pause()

    def _pause(self) -> None:
        if self.most is not None and self.size > self.most:
            raise Oversized
        super()._pause()
