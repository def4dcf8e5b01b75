"""The byte path of one instance: its `deliver` function, called with frames (`abi/frame.py`)."""

import ctypes
from typing import Final, final

from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.frame import ARGUMENTS, Answer, Frames, Head
from airssys_wasm.runtime.abi.values import Keep, address_of, slot

_KEPT_BYTES: Final = 4096
"""Up to this size wasmtime's copy of an answer stays until the next one takes its place; that saves a call."""

_EMPTY: Final = bytes(capi.VAL_BYTES)


@final
class Delivery:
    """Begins and ends the calls of one function; addresses are looked up once."""

    def __init__(self, frames: Frames, function: int, context: int, error_address: int, limit: int) -> None:
        self.head = frames.head
        self._frames, self._limit = frames, limit
        self._function = function
        self._context, self._error_address = context, error_address
        self._result = slot()
        self._result_address = ctypes.addressof(self._result)
        self._size, self._address = (ctypes.c_size_t.from_buffer(self._result, at) for at in (8, 16))

    def begin(self, head: Head, message: ComponentMessage, flags: int, keep: Keep) -> int:
        """Begin a call; `flags` is `CALLBACK` for handle-callback and 0 for handle-message."""
        images = self._frames.lower(head, message, flags, self._limit, keep)
        keep.append(images)
        future: int = capi.func_call_async(
            self._function,
            self._context,
            address_of(images),
            ARGUMENTS,
            self._result_address,
            1,
            self._error_address,
        )
        return future

    def end(self) -> Answer:
        """Read the answer; raises Trap for one that breaks the canonical ABI."""
        size = self._size.value
        answer = self._frames.lift(self._address.value, size)
        if size > _KEPT_BYTES:
            self.close()
        return answer

    def close(self) -> None:
        """Free the last answer."""
        capi.val_delete(self._result_address)
        ctypes.memmove(self._result, _EMPTY, capi.VAL_BYTES)
