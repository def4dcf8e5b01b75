"""One live instance: a Store, the instance in it, and one async method for each export of the contract."""

import functools
import itertools
from collections.abc import Mapping
from typing import Any, final

import attrs
from wasmtime.component import Linker

from airssys_wasm.core.calls import Err, FunctionNotFound, Invocation
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import PayloadTooLarge
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.ports import ComponentMetadata, HealthStatus, HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.append import DELIVER
from airssys_wasm.runtime.abi.frame import CALLBACK, Answer, Head, TooLarge
from airssys_wasm.runtime.abi.handles import Handles, leave
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.values import Keep, Lowering, Value, undo
from airssys_wasm.runtime.abi.wasi import give_empty_wasi
from airssys_wasm.runtime.compiled import Build, CompiledComponent, Signature
from airssys_wasm.runtime.conduct import LARGE_FRAME_BYTES
from airssys_wasm.runtime.contract import LIFECYCLE
from airssys_wasm.runtime.delivery import Delivery
from airssys_wasm.runtime.fibers import Call, Fiber
from airssys_wasm.runtime.functions import Function
from airssys_wasm.runtime.greetings import signatures
from airssys_wasm.runtime.host_fn.guestlog import GuestLog
from airssys_wasm.runtime.instance import Instance
from airssys_wasm.runtime.limiter import limit_store
from airssys_wasm.runtime.reaper import Reaper
from airssys_wasm.runtime.scheduler import Scheduler
from airssys_wasm.runtime.traps import instantiation_error
from airssys_wasm.runtime.wit import message_to_wit, unwrap


@final
@attrs.frozen(eq=False)
class StoreHost:
    """What the Stores of one engine share: who runs their calls and deletes them, what they are told, who is who."""

    scheduler: Scheduler = attrs.field(factory=Scheduler)
    reaper: Reaper = attrs.field(factory=Reaper)
    signatures: Mapping[str, Signature] = attrs.field(factory=signatures)
    fibers: dict[int, Fiber] = attrs.field(factory=dict)
    keys: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1))


@final
class GuestStore:
    """A component's instance in a Store of its own; implements the `Guest` port.

    One call at a time. After a call that raised an `ExecutionError` or was cancelled, every further one raises `Trap`
    with the code "spent". `aclose` has to be called.
    """

    __slots__ = ("_build", "_compiled", "_delivery", "_fiber", "_host", "_instance", "_log", "_state", "_store")

    def __init__(self, host: StoreHost, compiled: CompiledComponent, build: Build, state: HostState) -> None:
        self._host, self._compiled, self._build, self._state = host, compiled, build, state
        key = next(host.keys)
        self._store = capi.store_new(build.machine.address, key, None)
        self._fiber = Fiber(capi.store_context(self._store), state, build.machine.ticker, host.scheduler.clock, key)
        self._delivery: Delivery | None = None
        self._instance = Instance(build, self._fiber, self._set_up())
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
        await self._run(Call(self._fiber, self._instance.instantiate, self._ready, self._free, instantiation_error))

    async def initialize(self, config: ComponentConfig) -> ComponentMetadata:
        """Call `initialize`, then `metadata`, if it exports them; raises GuestError or ExecutionError."""
        if not self._compiled.answers_messages:
            return ComponentMetadata()
        unwrap(await self._call("initialize", (config, self._state.limits)))
        return await self.metadata()

    async def metadata(self) -> ComponentMetadata:
        """Call `metadata`; raises ExecutionError."""
        metadata: ComponentMetadata = await self._call("metadata")
        return metadata

    async def handle_message(self, message: ComponentMessage) -> bytes | None:
        """Call `handle-message`; raises GuestError, ExecutionError, or PayloadTooLarge for the answer."""
        delivery = self._delivery
        head = delivery.head(message) if delivery else None
        if delivery and head:
            answered = await self._deliver(delivery, head, message, 0)
            return answered if type(answered) is bytes else self._checked(answered, message)
        answer: bytes | None = unwrap(await self._call("handle-message", message_to_wit(message)))
        if answer is not None and len(answer) > self._state.limits.max_payload_bytes:
            return self._checked(TooLarge(len(answer)), message)
        return answer

    async def handle_callback(self, message: ComponentMessage) -> None:
        """Call `handle-callback`; raises GuestError or ExecutionError."""
        delivery = self._delivery
        head = delivery.head(message) if delivery else None
        if delivery and head:
            self._checked(await self._deliver(delivery, head, message, CALLBACK), message)
        else:
            unwrap(await self._call("handle-callback", message_to_wit(message)))

    async def call(self, invocation: Invocation) -> Any:
        """Call one of the component's own functions; `Ok` or `Err` where it answers a result.

        Raises:
            CallRefused: There is no such function, or an argument does not fit; the guest has not run.
            ExecutionError: The call ended without an answer.
            PayloadTooLarge: For the answer.
        """
        function = self._compiled.signatures.functions.find(invocation.interface, invocation.function)
        if self._fiber.handles is not None:
            self._fiber.handles.call = invocation.caller
        begin = functools.partial(self._begin_function, function, invocation)
        limit = self._state.limits.max_payload_bytes
        lifting = Lifting(self._fiber.handles, limit).bound()
        end = functools.partial(self._instance.lift, function.result, lifting, has_handles=function.answers_handles)
        keep = self._keep() if function.takes_handles else Keep().bound()
        answer = await self._run(Call(self._fiber, begin, end, self._free, keep=keep, lifting=lifting))
        if lifting.size > limit:
            raise PayloadTooLarge(self._state.component_id, lifting.size, limit, what="answer")
        return answer

    async def health(self) -> HealthStatus:
        """Call `health` if it exports it; raises ExecutionError."""
        if not self._compiled.answers_messages:
            return HealthStatus.UNKNOWN
        return HealthStatus(await self._call("health"))

    async def shutdown(self) -> None:
        """Call `shutdown` if it exports it; raises GuestError or ExecutionError."""
        if self._compiled.answers_messages:
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

    async def _deliver(self, delivery: Delivery, head: Head, message: ComponentMessage, flags: int) -> Answer:
        """The byte path."""
        call = Call(self._fiber, functools.partial(delivery.begin, head, message, flags), delivery.end, self._free)
        answer: Answer = await self._run(call, large=len(message.payload.data) > LARGE_FRAME_BYTES)
        return answer

    async def _call(self, name: str, *arguments: Value) -> Value:
        """The value path."""
        if not self._compiled.answers_messages:
            raise FunctionNotFound(f"{LIFECYCLE}#{name}", sorted(self._compiled.signatures.functions.by_interface))
        begin = functools.partial(self._begin_call, name, arguments)
        lifting = Lifting(self._fiber.handles).bound()
        end = functools.partial(self._instance.lift, self._host.signatures[name].result, lifting)
        return await self._run(Call(self._fiber, begin, end, self._free, keep=Keep().bound(), lifting=lifting))

    async def _run(self, call: Call, *, large: bool = False) -> Any:
        scheduler, compiled, handles = self._host.scheduler, self._compiled, self._fiber.handles
        try:
            if large or compiled.wasi or not scheduler.ends_at_once(call, compiled.conduct):
                await scheduler.run(call, compiled.conduct, large=large, blocking=compiled.wasi)
            return call.result()
        finally:
            if handles is not None:
                leave(handles.settle())

    def _ready(self) -> None:
        """The instance is there; with it the function of the byte path, where it was extended."""
        limits, fiber = self._state.limits, self._fiber
        frames = self._build.frames_for(limits)
        if frames is not None:
            self._instance.find_deliver((DELIVER,))
            self._delivery = Delivery(frames, fiber, limits.max_payload_bytes)

    def _set_up(self) -> Linker:
        """Everything that has to be there before the instance is made; what it is going to be linked with."""
        limit_store(self._store, self._state.limits, extended=self._build.frames is not None)
        capi.context_yield_at_epoch(self._fiber.context, 1)
        self._log = log = GuestLog(self._state.component_id)
        self._state.log = log.write
        if self._compiled.wasi:
            stdout, stderr = (functools.partial(log.write_stream, name) for name in ("stdout", "stderr"))
            give_empty_wasi(self._fiber.context, stdout, stderr)

        machine, linkage = self._build.machine, self._compiled.linkage
        provided = {} if linkage is None else linkage.resources
        if provided or self._build.exports_resources:
            self._fiber.handles = Handles(self._fiber.context, provided, self._compiled.signatures.world.drops)
        if linkage is not None:
            return linkage.linker(machine)
        return machine.wasi_linker if self._compiled.wasi else machine.linker

    def _keep(self) -> Keep:
        handles = self._fiber.handles
        return (Keep() if handles is None else Lowering(handles)).bound()

    def _begin_call(self, name: str, arguments: tuple[Value, ...], keep: Keep) -> int:
        codecs = self._host.signatures[name].params
        images = b"".join([codec.lower(value, keep) for codec, value in zip(codecs, arguments, strict=True)])
        return self._instance.call((LIFECYCLE, name), images, keep)

    def _begin_function(self, function: Function, invocation: Invocation, keep: Keep) -> int:
        try:
            images = function.lower(invocation, keep)
        except BaseException:
            undo(keep)
            raise
        return self._instance.call(function.path, images, keep, results=int(function.result is not None))

    def _free(self) -> None:
        store, self._store = self._store, 0
        if store:
            self._fiber.spent = True
            self._fiber.delete_future()
            self._log.flush()
            self._host.fibers.pop(self._fiber.key, None)
            self._fiber.places.drop_result()
            self._host.reaper.delete_store(store)
            if self._fiber.handles is not None:  # last: it runs host code
                self._host.scheduler.call(leave, self._fiber.handles.close())
