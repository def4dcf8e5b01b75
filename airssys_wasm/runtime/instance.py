"""The instance in a Store, over the C API: where its functions are, how a call begins, how an answer is read."""

import ctypes
from typing import Any, Final, final

from wasmtime.component import Linker

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.pace import Lifting, Oversized
from airssys_wasm.runtime.abi.values import Codec, Keep, Value, address_of, slot
from airssys_wasm.runtime.compiled import Build
from airssys_wasm.runtime.fibers import Fiber

_LAST_SCALAR: Final = 12
"""Kind of a string: numbers and text are left to the next call, which drops them where it assigns its answer."""

_EMPTY: Final = bytes(capi.VAL_BYTES)
_InstancePlace: Final = ctypes.c_char * capi.INSTANCE_BYTES
_FunctionPlace: Final = ctypes.c_char * capi.FUNC_BYTES


@final
class Instance:
    """One instance; its memory for answers lasts as long as the Store."""

    def __init__(self, build: Build, fiber: Fiber, linker: Linker) -> None:
        self._build, self._fiber, self._linker = build, fiber, linker
        self._instance = _InstancePlace()
        self._functions: dict[tuple[str, ...], Any] = {}
        self._result = slot()
        self._result_address = ctypes.addressof(self._result)

    def instantiate(self, _keep: Keep) -> int:
        """Begin to make it; the future."""
        future = capi.instantiate_async(
            capi.address(self._linker.ptr()),
            self._fiber.context,
            capi.address(self._build.component.ptr()),
            ctypes.addressof(self._instance),
            self._fiber.error_address,
        )
        return int(future)

    def call(self, path: tuple[str, ...], images: bytes, keep: Keep, results: int = 1) -> int:
        """Begin to call the function at that place of its exports; the future."""
        keep.append(images)
        future = capi.func_call_async(
            self.function(path),
            self._fiber.context,
            address_of(images),
            len(images) // capi.VAL_BYTES,
            self._result_address,
            results,
            self._fiber.error_address,
        )
        return int(future)

    def lift(self, codec: Codec | None, lifting: Lifting, *, has_handles: bool = False) -> Value:
        """Read the answer; None without codec. More than a scalar is freed at once: wasmtime's copy is large.

        One that is over the limit of `lifting`, which then says so, is freed too, whether or not it was read.

        Raises:
            Heavy: It is to be read in a thread, with the same `lifting`; nothing has been taken or freed.
        """
        if codec is None:
            return None
        image = self._result.raw
        if has_handles and not lifting.in_thread:
            codec.lift(image, lifting.tried())
        handles = lifting.handles
        try:
            value = codec.lift(image, lifting)
            if handles is not None:
                handles.hand_over()
        except Oversized:
            value = None
            if handles is not None:
                handles.refuse()
        if image[0] > _LAST_SCALAR:
            self.free()
        return value

    def free(self) -> None:
        """Free the last answer; the instance goes with its Store."""
        capi.val_delete(self._result_address)
        ctypes.memmove(self._result, _EMPTY, capi.VAL_BYTES)

    def function(self, path: tuple[str, ...]) -> int:
        """The address of the function at that place of its exports; it stays there as long as this lives."""
        function = self._functions.get(path)
        if function is None:
            function = _FunctionPlace()
            instance, index = ctypes.addressof(self._instance), self._build.exports.find(*path)
            if not capi.instance_get_func(instance, self._fiber.context, index, ctypes.addressof(function)):
                raise LookupError("#".join(path))
            self._functions[path] = function
        return ctypes.addressof(function)
