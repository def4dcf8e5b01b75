"""The byte path of one instance: its `deliver` function, called with frames (`abi/frame.py`)."""

from typing import Final, final

from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.frame import ARGUMENTS, Answer, Frames, Head
from airssys_wasm.runtime.abi.places import DELIVER, ERROR
from airssys_wasm.runtime.abi.values import Keep, address_of
from airssys_wasm.runtime.fibers import Fiber

_KEPT_BYTES: Final = 4096
"""Up to this size wasmtime's copy of an answer stays until the next one takes its place; that saves a call."""


@final
class Delivery:
    """Begins and ends the calls of one function, which its fiber's places hold."""

    __slots__ = ("_fiber", "_frames", "_limit", "head")

    def __init__(self, frames: Frames, fiber: Fiber, limit: int) -> None:
        self.head = frames.head
        self._frames, self._fiber, self._limit = frames, fiber, limit

    def begin(self, head: Head, message: ComponentMessage, flags: int, keep: Keep) -> int:
        """Begin a call; `flags` is `CALLBACK` for handle-callback and 0 for handle-message."""
        images = self._frames.lower(head, message, flags, self._limit, keep)
        keep.append(images)
        fiber = self._fiber
        address = fiber.address
        future: int = capi.func_call_async(
            address + DELIVER, fiber.context, address_of(images), ARGUMENTS, address, 1, address + ERROR
        )
        return future

    def end(self) -> Answer:
        """Read the answer; raises Trap for one that breaks the canonical ABI."""
        places = self._fiber.places
        size = places.size
        answer = self._frames.lift(places.data, size)
        if size > _KEPT_BYTES:
            places.drop_result()
        return answer
