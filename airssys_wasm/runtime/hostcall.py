"""Host functions over the C API: one C callback for all, which only notes what the guest asked for.

The callback runs on the guest's own stack, in the loop's thread or a worker's. It lifts the arguments, which are freed
when it returns, or takes them as they are when that would take long, and leaves the rest to the task that drives the
call. What takes long is converted in a thread for it (`abi/pace.py`).
"""

import ctypes
from collections.abc import Awaitable, Callable, Iterable, Mapping
from ctypes import c_void_p, string_at
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys_wasm.core.calls import BadValue
from airssys_wasm.core.errors import HostFunctionError
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.pace import Heavy, Lifting, Paced
from airssys_wasm.runtime.abi.types import FuncType
from airssys_wasm.runtime.abi.values import Codec, Keep, Lowering, Value, address_of, release, undo
from airssys_wasm.runtime.raised import said

if TYPE_CHECKING:
    from airssys_wasm.runtime.abi.handles import Handles
    from airssys_wasm.runtime.fibers import Fiber

Convert = Callable[[Callable[[], Any], Paced], Awaitable[Any]]
"""Runs a conversion in a thread for it, and returns its value. Cancellation: it waits until the thread has left it."""

_CONTINUATION: Final = Struct("<QQQ")
"""wasmtime_async_continuation_t: callback, its argument, finalizer."""


@attrs.frozen(eq=False)
class HostFunction:
    """One import that the host provides: `run` gets the caller's state and the lifted arguments, and is awaited."""

    interface: str
    name: str
    run: Callable[..., Awaitable[Any]]
    params: tuple[Codec, ...]
    result: Codec | None
    takes_handles: bool = False
    """Whether a resource is among its parameters."""

    @classmethod
    def of(cls, interface: str, name: str, kind: FuncType, run: Callable[..., Awaitable[Any]]) -> "HostFunction":
        """Make a host function of a WIT type, with plain values."""
        result = None if kind.result is None else codec_for(kind.result)
        return cls(interface, name, run, tuple(codec_for(of) for _, of in kind.params), result, kind.takes_handles)

    def lift(self, images: bytes, lifting: Lifting) -> tuple[Value, ...]:
        """Read the arguments from their images."""
        starts = range(0, len(images), capi.VAL_BYTES)
        return tuple(
            codec.lift(images[at : at + capi.VAL_BYTES], lifting) for codec, at in zip(self.params, starts, strict=True)
        )


@final
class Taken:
    """Arguments too large for the callback, after which wasmtime would have freed them: ours, until they are lifted."""

    def __init__(self, args: int, count: int) -> None:
        self._images = ctypes.create_string_buffer(string_at(args, count * capi.VAL_BYTES), count * capi.VAL_BYTES)
        ctypes.memset(args, 0, count * capi.VAL_BYTES)  # it finds `Bool(false)` everywhere

    def lift(self, function: HostFunction, lifting: Lifting) -> tuple[Value, ...]:
        """Read them, in a thread, and free them."""
        try:
            return function.lift(self._images.raw, lifting)
        finally:
            self._free()

    def _free(self) -> None:
        start = ctypes.addressof(self._images)
        for at in range(0, len(self._images), capi.VAL_BYTES):
            capi.val_delete(start + at)
        ctypes.memset(start, 0, len(self._images))

    def __del__(self) -> None:
        self._free()


@final
@attrs.frozen(eq=False)
class HostCall:
    """A guest's call that waits for its answer; `results` is memory of wasmtime's until it is answered."""

    function: HostFunction
    arguments: tuple[Value, ...] | Taken
    results: int
    handles: "Handles | None"

    async def answer(self, state: HostState, convert: Convert) -> bool:
        """Run the function and write its result where the guest expects it.

        Args:
            state: the caller's.
            convert: brings a conversion that is too long for the loop to its end.

        Returns:
            Whether the arguments or the result are large, so that the guest's handling of them takes long too.

        Raises:
            HostFunctionError: It raised, or answered what is not of its WIT type. The guest cannot go on.
        """
        function = self.function
        try:
            arguments, taken = await self._lifted(convert)
            if self.handles is not None:
                self.handles.hand_over()
            large = await self._written(await function.run(state, *arguments), convert)
        except Exception as exc:
            raise HostFunctionError(f"{function.interface}#{function.name}", said(exc)) from exc
        return taken or large

    async def _lifted(self, convert: Convert) -> tuple[tuple[Value, ...], bool]:
        """The arguments, and whether they are large."""
        arguments = self.arguments
        if not isinstance(arguments, Taken):
            return arguments, False
        lifting = Lifting(self.handles)
        return await convert(partial(arguments.lift, self.function, lifting), lifting), True

    async def _written(self, value: Value, convert: Convert) -> bool:
        """Write the result; whether it is large."""
        if self.function.result is None:
            return False
        keep = Keep() if self.handles is None else Lowering(self.handles)
        try:
            self._write(self.function.result, value, keep.bound())
        except Heavy:
            await convert(partial(self._write, self.function.result, value, keep), keep)
            return True
        return False

    def _write(self, codec: Codec, value: Value, keep: Keep) -> None:
        try:
            image = codec.lower(value, keep)
        except BaseException as exc:
            undo(keep)
            if isinstance(exc, BadValue):
                raise exc.inside("result") from None
            raise
        capi.val_clone(address_of(image), self.results)
        release(keep)


@final
class HostCalls:
    """The host functions of one engine, and the C callbacks behind them."""

    def __init__(
        self,
        functions: Iterable[HostFunction],
        fibers: "Mapping[int, Fiber]",
        resources: Iterable[tuple[str, str, int]] = (),
    ) -> None:
        self._functions = tuple(functions)
        self._resources = tuple(resources)
        """Interface, name and number of each resource that the host defines."""
        self._fibers = fibers
        self._on_drop = capi.DESTRUCTOR(self._drop)
        self._on_call = capi.HOST_CALLBACK(self._enter)
        self._on_poll = capi.CONTINUE_CALLBACK(self._answered)
        self._on_poll_address = capi.function_address(self._on_poll)

    def define_in(self, linker: int) -> None:
        """Make every function known to a linker."""
        root = capi.linker_root(linker)
        try:
            of_resources = [interface for interface, _, _ in self._resources]
            for interface in dict.fromkeys([*of_resources, *(function.interface for function in self._functions)]):
                if interface:
                    self._define_interface(root, interface)
                else:
                    self._define_in(root, "")
        finally:
            capi.linker_instance_delete(root)

    def _define_interface(self, root: int, interface: str) -> None:
        out = c_void_p()
        name = interface.encode()
        _must(capi.linker_add_instance(root, name, len(name), ctypes.addressof(out)))
        try:
            self._define_in(out, interface)
        finally:
            capi.linker_instance_delete(out)

    def _define_in(self, instance: "int | c_void_p", interface: str) -> None:
        for of, resource, number in self._resources:
            if of == interface:
                self._define_resource(instance, resource.encode(), number)
        for number, function in enumerate(self._functions, 1):
            if function.interface == interface:
                name = function.name.encode()
                _must(capi.linker_add_func_async(instance, name, len(name), self._on_call, number, None))

    def _define_resource(self, instance: "int | c_void_p", name: bytes, number: int) -> None:
        kind = capi.resource_type_new_host(number)
        try:
            _must(capi.linker_add_resource(instance, name, len(name), kind, self._on_drop, None, None))
        finally:
            capi.resource_type_delete(kind)

    def _enter(self, *arguments: Any) -> None:
        """Called by wasmtime on the guest's stack; must not raise."""
        number, context, _type, args, count, results, _results, error, continuation = arguments
        try:
            key = capi.context_get_data(context)
            fiber = self._fibers[key]
            function = self._functions[number - 1]
            given = _arguments(function, args, count, fiber.handles)
            fiber.enter_host(HostCall(function, given, results, fiber.handles))
            ctypes.memmove(continuation, _CONTINUATION.pack(self._on_poll_address, key, 0), _CONTINUATION.size)
        except BaseException as exc:  # noqa: BLE001 - ctypes would print it and the guest would wait for ever
            c_void_p.from_address(error).value = capi.error_new(f"host call refused: {type(exc).__name__}: {exc}")

    def _drop(self, _env: int, context: int, rep: int) -> int:
        """Called by wasmtime on the guest's stack when the guest drops an object of the host's; must not raise."""
        fiber = self._fibers.get(capi.context_get_data(context))
        if fiber is not None and fiber.handles is not None:
            fiber.handles.drop(rep)
        return 0

    def _answered(self, key: int) -> bool:
        """Called by wasmtime at each poll while a host call is under way; must not raise."""
        fiber = self._fibers.get(key)
        return fiber is None or fiber.host_call is None


def _arguments(function: HostFunction, args: int, count: int, handles: "Handles | None") -> tuple[Value, ...] | Taken:
    """What the callback makes of arguments: lifted, unless that takes long."""
    images, lifting = string_at(args, count * capi.VAL_BYTES) if count else b"", Lifting(handles)
    try:
        if function.takes_handles:
            function.lift(images, lifting.tried())
        return function.lift(images, lifting.bound())
    except Heavy:
        return Taken(args, count)


def _must(error: int | None) -> None:
    text = capi.take_error(error)
    if text is not None:
        raise RuntimeError(text)
