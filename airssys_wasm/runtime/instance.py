"""The instance in a Store, over the C API: where its functions are, how a call begins, how an answer is read."""

import ctypes
from typing import Final, final

from wasmtime.component import Linker

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.pace import Lifting, Oversized
from airssys_wasm.runtime.abi.places import DELIVER, ERROR, FUNCTION, INSTANCE
from airssys_wasm.runtime.abi.values import Codec, Keep, Value, address_of
from airssys_wasm.runtime.compiled import Build
from airssys_wasm.runtime.fibers import Fiber

_LAST_SCALAR: Final = 12
"""Kind of a string: numbers and text are left to the next call, which drops them where it assigns its answer."""


@final
class Repeated:
    """A function in a fiber's places that is called again and again: its arguments have a place of their own."""

    __slots__ = ("arguments", "begin")

    def __init__(self, fiber: Fiber, place: int, size: int, results: int) -> None:
        self.arguments = (ctypes.c_char * size)()
        slots = ctypes.addressof(self.arguments), size // capi.VAL_BYTES, fiber.address, results
        address = fiber.address
        self.begin = capi.bound(capi.func_call_async, address + place, fiber.context, *slots, address + ERROR)


@final
class Instance:
    """One instance; what wasmtime writes of it lies in the places of its fiber."""

    __slots__ = ("_build", "_fiber", "_linker", "_path", "_repeated")

    def __init__(self, build: Build, fiber: Fiber, linker: Linker) -> None:
        self._build, self._fiber, self._linker = build, fiber, linker
        self._path: tuple[str, ...] = ()
        """Of the function that was called last."""
        self._repeated: dict[tuple[int, int], Repeated] = {}
        """By the size of its arguments and the number of its results."""

    def instantiate(self) -> int:
        """Begin to make it; the future."""
        fiber = self._fiber
        future = capi.instantiate_async(
            capi.address(self._linker.ptr()),
            fiber.context,
            self._build.address,
            fiber.address + INSTANCE,
            fiber.address + ERROR,
        )
        return int(future)

    def call(self, path: tuple[str, ...], images: bytes, keep: Keep) -> int:
        """Begin to call the function at that place of its exports; the future."""
        keep.append(images)
        fiber = self._fiber
        if path != self._path:
            self._find(path, FUNCTION)
            self._path = path
        future = capi.func_call_async(
            fiber.address + FUNCTION,
            fiber.context,
            address_of(images),
            len(images) // capi.VAL_BYTES,
            fiber.address,
            1,
            fiber.address + ERROR,
        )
        return int(future)

    def call_again(self, path: tuple[str, ...], images: bytes, results: int) -> int:
        """As `call`, of a function that is likely to be called often, with that many results, 0 or 1."""
        if path != self._path:
            self._find(path, FUNCTION)
            self._path = path
        size = len(images)
        repeated = self._repeated.get((size, results))
        if repeated is None:
            repeated = self._repeated[size, results] = Repeated(self._fiber, FUNCTION, size, results)
        repeated.arguments.raw = images
        future: int = repeated.begin()
        return future

    def find_deliver(self, path: tuple[str, ...]) -> None:
        """Find the function of the byte path, which stays where it is for all calls."""
        self._find(path, DELIVER)

    def lift(self, codec: Codec | None, lifting: Lifting, *, has_handles: bool = False) -> Value:
        """Read the answer; None without codec. More than a scalar is freed at once: wasmtime's copy is large.

        One that is over the limit of `lifting`, which then says so, is freed too, whether or not it was read.

        Raises:
            Heavy: It is to be read in a thread, with the same `lifting`; nothing has been taken or freed.
        """
        if codec is None:
            return None
        image = self._fiber.places.result()
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
            self._fiber.places.drop_result()
        return value

    def _find(self, path: tuple[str, ...], place: int) -> None:
        """Have the function at that place of its exports in one of the fiber's; no call may be under way."""
        address, index = self._fiber.address, self._build.exports.find(*path)
        if not capi.instance_get_func(address + INSTANCE, self._fiber.context, index, address + place):
            raise LookupError("#".join(path))
