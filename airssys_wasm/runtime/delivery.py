"""The byte path of one instance: its `deliver` function, called with frames (`abi/frame.py`)."""

from typing import Final, final

from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.frame import ARGUMENTS, Answer, Frames, Head
from airssys_wasm.runtime.abi.places import DELIVER
from airssys_wasm.runtime.abi.values import Keep
from airssys_wasm.runtime.fibers import Fiber
from airssys_wasm.runtime.instance import Repeated

_KEPT_BYTES: Final = 4096
"""Up to this size wasmtime's copy of an answer stays until the next one takes its place; that saves a call."""


@final
class Delivery:
    """Begins and ends the calls of one function, which its fiber's places hold."""

    __slots__ = ("_call", "_fiber", "_frames", "_limit", "head")

    def __init__(self, frames: Frames, fiber: Fiber, limit: int) -> None:
        self.head = frames.head
        self._frames, self._fiber, self._limit = frames, fiber, limit
        self._call: Repeated | None = None

    def begin(self, head: Head, message: ComponentMessage, flags: int, keep: Keep) -> int:
        """Begin a call, whose arguments are copied by its first poll.

        Args:
            head: what `head` gave for this message.
            message: what is to be delivered.
            flags: `CALLBACK` for handle-callback and 0 for handle-message.
            keep: what has to live until then.
        """
        call = self._call
        if call is None:  # many are loaded and never called
            call = self._call = Repeated(self._fiber, DELIVER, ARGUMENTS * capi.VAL_BYTES, results=1)
        call.arguments.raw = self._frames.lower(head, message, flags, self._limit, keep)
        future: int = call.begin()
        return future

    def end(self) -> Answer:
        """Read the answer; raises Trap for one that breaks the canonical ABI."""
        places = self._fiber.places
        size = places.size
        answer = self._frames.lift(places.data, size)
        if size > _KEPT_BYTES:
            places.drop_result()
        return answer
