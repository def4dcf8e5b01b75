"""Host functions over the C API: one C callback for all, which only notes what the guest asked for.

The callback runs on the guest's own stack, in the loop's thread or a worker's. It lifts the arguments (they are freed
when it returns) and leaves the rest to the task that drives the call.
"""

import asyncio
import ctypes
from collections.abc import Awaitable, Callable, Iterable, Mapping
from ctypes import c_void_p, string_at
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys_wasm.core.calls import BadValue, Err, Ok
from airssys_wasm.core.errors import HostFunctionError
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.types import FuncType
from airssys_wasm.runtime.abi.values import Codec, Keep, Lowering, Value, address_of, release, undo
from airssys_wasm.runtime.conduct import LARGE_VALUE_BYTES
from airssys_wasm.runtime.job import settled
from airssys_wasm.runtime.raised import said

if TYPE_CHECKING:
    from airssys_wasm.runtime.abi.handles import Handles
    from airssys_wasm.runtime.fibers import Fiber

_MANY_ITEMS: Final = 500
"""Items of a list, some microseconds each, that are copied in about half a tick."""

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

    @classmethod
    def of(cls, interface: str, name: str, kind: FuncType, run: Callable[..., Awaitable[Any]]) -> "HostFunction":
        """Make a host function of a WIT type, with plain values."""
        result = None if kind.result is None else codec_for(kind.result)
        return cls(interface, name, run, tuple(codec_for(of) for _, of in kind.params), result)


@final
@attrs.frozen(eq=False)
class HostCall:
    """A guest's call that waits for its answer; `results` is memory of wasmtime's until it is answered."""

    function: HostFunction
    arguments: tuple[Value, ...]
    results: int
    handles: "Handles | None"

    async def answer(self, state: HostState) -> bool:
        """Run the function and write its result where the guest expects it, a large one in a worker thread.

        Returns:
            Whether the result is large, so that the guest's reading it takes long too.

        Raises:
            HostFunctionError: It raised, or answered what is not of its WIT type. The guest cannot go on.
        """
        function = self.function
        try:
            value = await function.run(state, *self.arguments)
            large = _is_large(value)
            if large:
                await self._write_in_thread(value)
            else:
                self._write(value)
        except Exception as exc:
            raise HostFunctionError(f"{function.interface}#{function.name}", said(exc)) from exc
        return large

    async def _write_in_thread(self, value: Value) -> None:
        """As `_write`. Cancelled, it waits for the thread: `results` goes with the call that is then given up."""
        written = asyncio.get_running_loop().run_in_executor(None, self._write, value)
        try:
            await asyncio.shield(written)
        except asyncio.CancelledError:
            await settled(written)
            raise

    def _write(self, value: Value) -> None:
        if self.function.result is None:
            return
        keep: Keep = [] if self.handles is None else Lowering(self.handles)
        try:
            image = self.function.result.lower(value, keep)
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
            lifted = _lifted(function, args, count, fiber.handles)
            fiber.enter_host(HostCall(function, lifted, results, fiber.handles))
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


def _is_large(value: Value) -> bool:
    """Whether a result takes long to copy: many bytes, or many items."""
    inner = value.value if isinstance(value, Ok | Err) else value
    if isinstance(inner, bytes):
        return len(inner) > LARGE_VALUE_BYTES
    return isinstance(inner, list) and len(inner) > _MANY_ITEMS


def _lifted(function: HostFunction, args: int, count: int, handles: "Handles | None") -> tuple[Value, ...]:
    images = string_at(args, count * capi.VAL_BYTES) if count else b""
    starts = range(0, len(images), capi.VAL_BYTES)
    return tuple(
        codec.lift(images[at : at + capi.VAL_BYTES], handles) for codec, at in zip(function.params, starts, strict=True)
    )


def _must(error: int | None) -> None:
    text = capi.take_error(error)
    if text is not None:
        raise RuntimeError(text)
