"""One live instance: a Store, the instance in it, and one async method for each export of the contract."""

import functools
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, final

import attrs
from wasmtime.component import Linker

from airssys_wasm.core.calls import FunctionNotFound, Invocation
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.ports import Answered, ComponentMetadata, HealthStatus, HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.append import DELIVER
from airssys_wasm.runtime.abi.frame import CALLBACK
from airssys_wasm.runtime.abi.handles import Handles, leave
from airssys_wasm.runtime.abi.values import Value
from airssys_wasm.runtime.abi.wasi import give_empty_wasi
from airssys_wasm.runtime.call import Call
from airssys_wasm.runtime.calls import FunctionCall, Instantiation, LifecycleCall, MessageCall, ValueMessageCall
from airssys_wasm.runtime.compiled import Build, CompiledComponent, Signature
from airssys_wasm.runtime.contract import LIFECYCLE
from airssys_wasm.runtime.delivery import Delivery
from airssys_wasm.runtime.fibers import Fiber
from airssys_wasm.runtime.greetings import signatures
from airssys_wasm.runtime.host_fn.guestlog import GuestLog
from airssys_wasm.runtime.instance import Instance
from airssys_wasm.runtime.limiter import limit_store
from airssys_wasm.runtime.reaper import Reaper
from airssys_wasm.runtime.scheduler import ASK_COST, Scheduler
from airssys_wasm.runtime.wit import unwrap


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
        self._fiber.on_retired = self._free
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
        await self._run(Instantiation(self._fiber, self._instance, self._ready))

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
        answer: bytes | None = await self._run(self._message_call(message))
        return answer

    async def handle_callback(self, message: ComponentMessage) -> None:
        """Call `handle-callback`; raises GuestError or ExecutionError."""
        await self._run(self._message_call(message, "handle-callback", CALLBACK))

    async def call(self, invocation: Invocation) -> Any:
        """Call one of the component's own functions; `Ok` or `Err` where it answers a result.

        Raises:
            CallRefused: There is no such function, or an argument does not fit; the guest has not run.
            ExecutionError: The call ended without an answer.
            PayloadTooLarge: For the answer.
        """
        return await self._run(self._function_call(invocation))

    def attempt(
        self, message: ComponentMessage, invocation: Invocation | None = None
    ) -> Answered | Callable[[], Awaitable[Any]] | None:
        """Make the first step on the loop, if that is the call's place now; see the port."""
        if self._compiled.wasi:  # it may block
            return None
        call = self._message_call(message) if invocation is None else self._function_call(invocation)
        if self._ends_at_once(call, ASK_COST):
            return Answered(self._result(call))
        return functools.partial(self._go_on, call) if call.begun else None

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

    def _message_call(self, message: ComponentMessage, name: str = "handle-message", flags: int = 0) -> Call:
        """By the byte path if the message takes it, otherwise by the other one."""
        delivery = self._delivery
        head = delivery.head(message) if delivery else None
        if delivery and head:
            return MessageCall(self._fiber, delivery, head, message, flags)
        self._check_exported(name)
        return ValueMessageCall(self._fiber, self._instance, name, self._host.signatures[name], message)

    def _function_call(self, invocation: Invocation) -> Call:
        function = self._compiled.signatures.functions.find(invocation.interface, invocation.function)
        return FunctionCall(self._fiber, self._instance, function, invocation)

    async def _call(self, name: str, *arguments: Value) -> Value:
        """Another function of the contract."""
        self._check_exported(name)
        signature = self._host.signatures[name]
        return await self._run(LifecycleCall(self._fiber, self._instance, name, signature, *arguments))

    def _check_exported(self, name: str) -> None:
        if not self._compiled.answers_messages:
            raise FunctionNotFound(f"{LIFECYCLE}#{name}", sorted(self._compiled.signatures.functions.by_interface))

    async def _run(self, call: Call) -> Any:
        return self._result(call) if self._ends_at_once(call) else await self._go_on(call)

    def _ends_at_once(self, call: Call, cost: float = 0.0) -> bool:
        """Make the first step on the loop, if that is the call's place now; whether that was all of it."""
        compiled = self._compiled
        try:
            return not compiled.wasi and self._host.scheduler.ends_at_once(call, compiled.conduct, cost)
        except BaseException:
            self._settle()
            raise

    async def _go_on(self, call: Call) -> Any:
        """The answer of a call that has not ended at once."""
        try:
            await self._host.scheduler.run(call, self._compiled.conduct, blocking=self._compiled.wasi)
            return call.result()
        finally:
            self._settle()

    def _result(self, call: Call) -> Any:
        if self._fiber.handles is None:
            return call.result()
        try:
            return call.result()
        finally:
            self._settle()

    def _settle(self) -> None:
        """See to the objects of the host's that the guest has dropped."""
        if self._fiber.handles is not None:
            leave(self._fiber.handles.settle())

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

    def _free(self) -> None:
        store, self._store = self._store, 0
        if store:
            self._fiber.spent, self._fiber.on_retired = True, None  # which leads back here
            self._fiber.delete_future()
            self._log.flush()
            self._host.fibers.pop(self._fiber.key, None)
            self._fiber.places.drop_result()
            self._host.reaper.delete_store(store)
            if self._fiber.handles is not None:  # last: it runs host code
                self._host.scheduler.call(leave, self._fiber.handles.close())
