"""One live instance: a Store, the instance in it, and one async method for each export of the contract."""

import ctypes
import functools
import itertools
from collections.abc import Callable
from typing import Any, Final, final

import attrs

from airssys_wasm.core.calls import Err
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import PayloadTooLarge
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.ports import ComponentMetadata, HealthStatus, HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.append import DELIVER
from airssys_wasm.runtime.abi.frame import ARGUMENTS, Answer, Frames, Head, TooLarge
from airssys_wasm.runtime.abi.values import Keep, Value, address_of, slot
from airssys_wasm.runtime.abi.wasi import give_empty_wasi
from airssys_wasm.runtime.compiled import SIGNATURES, Build, CompiledComponent
from airssys_wasm.runtime.conduct import LARGE_FRAME_BYTES, LARGE_VALUE_BYTES
from airssys_wasm.runtime.fibers import Call, Fiber
from airssys_wasm.runtime.host_fn.guestlog import GuestLog
from airssys_wasm.runtime.limiter import limit_store
from airssys_wasm.runtime.reaper import Reaper
from airssys_wasm.runtime.scheduler import Scheduler
from airssys_wasm.runtime.traps import instantiation_error
from airssys_wasm.runtime.wit import config_to_wit, message_to_wit, metadata_from_wit, unwrap

_EMPTY: Final = bytes(capi.VAL_BYTES)


@final
@attrs.frozen(eq=False)
class StoreHost:
    """What the Stores of one engine share: who runs their calls, who deletes them, how the C callback finds them."""

    scheduler: Scheduler = attrs.field(factory=Scheduler)
    reaper: Reaper = attrs.field(factory=Reaper)
    fibers: dict[int, Fiber] = attrs.field(factory=dict)
    keys: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1))


@final
class GuestStore:
    """A component's instance in a Store of its own; implements the `Guest` port.

    One call at a time. After a call that raised an `ExecutionError` or was cancelled, every further one raises `Trap`
    with the code "spent". `aclose` has to be called.
    """

    def __init__(self, host: StoreHost, compiled: CompiledComponent, build: Build, state: HostState) -> None:
        self._host, self._compiled, self._build, self._state = host, compiled, build, state
        key = next(host.keys)
        self._store = capi.store_new(capi.address(build.machine.engine.ptr()), key, None)
        self._fiber = Fiber(capi.store_context(self._store), state, build.machine.ticker, key)
        self._instance = ctypes.create_string_buffer(capi.INSTANCE_BYTES)
        self._functions: dict[str, Any] = {}
        self._frames = build.frames_for(state.limits)
        self._result = slot()
        self._result_address = ctypes.addressof(self._result)
        self._set_up()
        host.fibers[key] = self._fiber

    @property
    def guest_time(self) -> float:
        """Seconds inside guest code so far, host waits excluded."""
        return self._fiber.guest_time

    @property
    def fuel(self) -> int:
        """Fuel that calls have taken so far; 0 where it is not metered."""
        return self._fiber.fuel

    async def instantiate(self) -> None:
        """Make the instance, which may run guest code.

        Raises:
            InstantiationFailed: An import nobody provides, a limit, or a trap.
        """
        await self._run(self._begin_instance, self._resolve, error=instantiation_error)

    async def initialize(self, config: ComponentConfig) -> ComponentMetadata:
        """Call `initialize`, then `metadata`; raises GuestError or ExecutionError."""
        size = len(config.data or b"") + sum(len(name) + len(value) for name, value in config.env)
        arguments = config_to_wit(config, self._state.limits)
        unwrap(await self._call("initialize", arguments, large=size > LARGE_VALUE_BYTES))
        return await self.metadata()

    async def metadata(self) -> ComponentMetadata:
        """Call `metadata`; raises ExecutionError."""
        return metadata_from_wit(await self._call("metadata"))

    async def handle_message(self, message: ComponentMessage) -> bytes | None:
        """Call `handle-message`; raises GuestError, ExecutionError, or PayloadTooLarge for the answer."""
        frames = self._frames
        head = frames.head(message) if frames else None
        if frames and head:
            return self._checked(await self._deliver(frames, head, message), message)
        answer: bytes | None = unwrap(
            await self._call("handle-message", message_to_wit(message), large=_is_large(message))
        )
        if answer is not None and len(answer) > self._state.limits.max_payload_bytes:
            return self._checked(TooLarge(len(answer)), message)
        return answer

    async def handle_callback(self, message: ComponentMessage) -> None:
        """Call `handle-callback`; raises GuestError or ExecutionError."""
        frames = self._frames
        head = frames.head(message) if frames else None
        if frames and head:
            self._checked(await self._deliver(frames, head, message, callback=True), message)
        else:
            unwrap(await self._call("handle-callback", message_to_wit(message), large=_is_large(message)))

    async def health(self) -> HealthStatus:
        """Call `health`; raises ExecutionError."""
        return HealthStatus(await self._call("health"))

    async def shutdown(self) -> None:
        """Call `shutdown`; raises GuestError or ExecutionError."""
        unwrap(await self._call("shutdown"))

    def interrupt(self) -> None:
        """Stop the call in progress, which then raises `Interrupted`; nothing when there is none."""
        self._fiber.interrupt()

    async def aclose(self) -> None:
        """Stop the call in progress and give up the instance; an abandoned one is freed by its thread, if ever."""
        await self._fiber.stop()
        if not self._fiber.abandoned:
            self._free()

    def _checked(self, answer: Answer, message: ComponentMessage) -> bytes | None:
        """The answer to a message that was delivered; raises GuestError or PayloadTooLarge."""
        if answer is None or isinstance(answer, bytes):
            return answer
        if isinstance(answer, Err):
            return unwrap(answer)  # type: ignore[no-any-return]  # it raises
        limit = self._state.limits.max_payload_bytes
        raise PayloadTooLarge(self._state.component_id, answer.payload_bytes, limit, message, what="answer")

    async def _deliver(
        self, frames: Frames, head: Head, message: ComponentMessage, *, callback: bool = False
    ) -> Answer:
        """The byte path."""
        begin = functools.partial(self._begin_delivery, frames, head, message, callback=callback)
        large = len(message.payload.data) > LARGE_FRAME_BYTES
        answer: Answer = await self._run(begin, functools.partial(self._delivered, frames), large=large)
        return answer

    async def _call(self, name: str, *arguments: Value, large: bool = False) -> Value:
        """The value path."""
        begin = functools.partial(self._begin_call, name, arguments)
        return await self._run(begin, functools.partial(self._answer, name), large=large)

    async def _run(
        self, begin: Callable[[Keep], int], end: Callable[[], Any], *, large: bool = False, **how: Any
    ) -> Value:
        call = Call(self._fiber, begin, end, self._free, **how)
        compiled = self._compiled
        return await self._host.scheduler.run(call, compiled.conduct, large=large, blocking=compiled.wasi)

    def _set_up(self) -> None:
        """Everything that has to be there before the instance is made."""
        limit_store(self._store, self._state.limits, extended=self._build.frames is not None)
        capi.context_yield_at_epoch(self._fiber.context, 1)
        log = GuestLog(self._state.component_id)
        self._state.log = log.write
        self._flush_log = log.flush
        if self._compiled.wasi:
            stdout, stderr = (functools.partial(log.write_stream, name) for name in ("stdout", "stderr"))
            give_empty_wasi(self._fiber.context, stdout, stderr)

    def _begin_instance(self, _keep: Keep) -> int:
        machine = self._build.machine
        linker = machine.wasi_linker if self._compiled.wasi else machine.linker
        future = capi.instantiate_async(
            capi.address(linker.ptr()),
            self._fiber.context,
            capi.address(self._build.component.ptr()),
            ctypes.addressof(self._instance),
            self._fiber.error_address,
        )
        return int(future)

    def _resolve(self) -> None:
        """Find the instance's functions; every index was found before there was an instance."""
        for name, index in self._build.exports.of.items():
            function = ctypes.create_string_buffer(capi.FUNC_BYTES)
            found = capi.instance_get_func(
                ctypes.addressof(self._instance), self._fiber.context, index, ctypes.addressof(function)
            )
            if not found:
                raise LookupError(name)
            self._functions[name] = function

    def _begin_call(self, name: str, arguments: tuple[Value, ...], keep: Keep) -> int:
        codecs = SIGNATURES[name].params
        images = b"".join([codec.lower(value, keep) for codec, value in zip(codecs, arguments, strict=True)])
        keep.append(images)
        future = capi.func_call_async(
            ctypes.addressof(self._functions[name]),
            self._fiber.context,
            address_of(images),
            len(arguments),
            self._result_address,
            1,
            self._fiber.error_address,
        )
        return int(future)

    def _begin_delivery(
        self, frames: Frames, head: Head, message: ComponentMessage, keep: Keep, *, callback: bool
    ) -> int:
        images = frames.lower(head, message, self._state.limits.max_payload_bytes, keep, callback=callback)
        keep.append(images)
        future = capi.func_call_async(
            ctypes.addressof(self._functions[DELIVER]),
            self._fiber.context,
            address_of(images),
            ARGUMENTS,
            self._result_address,
            1,
            self._fiber.error_address,
        )
        return int(future)

    def _delivered(self, frames: Frames) -> Answer:
        return frames.lift(self._result.raw)

    def _answer(self, name: str) -> Value:
        """Lift the result and free wasmtime's copy of it, which can be 32 times as large."""
        codec = SIGNATURES[name].result
        value = codec.lift(self._result.raw) if codec else None
        capi.val_delete(self._result_address)
        ctypes.memmove(self._result, _EMPTY, capi.VAL_BYTES)
        return value

    def _free(self) -> None:
        store, self._store = self._store, 0
        if store:
            self._fiber.spent = True
            self._fiber.delete_future()
            self._flush_log()
            self._host.fibers.pop(self._fiber.key, None)
            capi.val_delete(self._result_address)
            self._host.reaper.delete_store(store)


def _is_large(message: ComponentMessage) -> bool:
    """Whether its payload takes long to copy as component values."""
    return len(message.payload.data) > LARGE_VALUE_BYTES
