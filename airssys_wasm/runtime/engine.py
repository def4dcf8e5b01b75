"""`WasmtimeEngine`: makes guests from components; also the bare `RuntimeEngine`, without actors in front."""

import functools
import itertools
import logging
import threading
from pathlib import Path
from typing import Final, Literal, Self, final

import anyio
import anyio.to_thread
import attrs
from wasmtime import Engine
from wasmtime.component import Linker

from airssys_wasm.core.calls import Given
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import (
    AirssysError,
    ComponentNotFound,
    ConfigError,
    ExecutionError,
    GuestError,
    InstantiationFailed,
)
from airssys_wasm.core.ids import ComponentHandle, ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage, MessagePayload
from airssys_wasm.core.observations import Compilation, ComponentReport
from airssys_wasm.core.ports import ComponentMetadata, HostState
from airssys_wasm.runtime.cache import CacheStatistics, CompileCache, default_directory
from airssys_wasm.runtime.compiled import CompiledComponent, require_contract
from airssys_wasm.runtime.host_fn.table import host_functions
from airssys_wasm.runtime.host_threads import HostThreads
from airssys_wasm.runtime.hostcall import HostCalls
from airssys_wasm.runtime.inspection import report
from airssys_wasm.runtime.linkage import bind, has_own_types
from airssys_wasm.runtime.loader import Loader, check_digest
from airssys_wasm.runtime.machine import PLAIN, Machine, Profile
from airssys_wasm.runtime.maps import MapRoom
from airssys_wasm.runtime.store import GuestStore, StoreHost

INSPECT_SECONDS: Final = 5.0
"""How long a component may take to say what it is."""

_INSPECTED: Final = ComponentId("inspect", "component", "0")
_logger = logging.getLogger("airssys_wasm.runtime")

FROM_ENVIRONMENT: Final = Path("$AIRSSYS_WASM_CACHE")
"""Stands for the default cache directory, which the environment decides."""


@attrs.define(eq=False)
class _Loaded:
    """A component of the bare engine; the lock lets one call in at a time."""

    guest: GuestStore
    lock: anyio.Lock = attrs.field(factory=anyio.Lock)


@final
class WasmtimeEngine:
    """Compiles components and starts instances of them, on the running event loop.

    As a `RuntimeEngine` it has no mailboxes, supervision or routing: one call at a time per handle, further ones wait;
    a guest has nobody to send to; after a trap the handle's instance is spent, and has to be unloaded.

    Args:
        cache: Directory for compiled components; None compiles anew in each process.
        byte_path: Whether payloads cross as one block where a component's shape allows; slower without, else the same.
    """

    def __init__(self, *, cache: Path | None = FROM_ENVIRONMENT, byte_path: bool = True) -> None:
        self._host = StoreHost()
        self._host_calls = HostCalls(host_functions(), self._host.fibers)
        self._machines: dict[Profile, Machine] = {}
        directory = default_directory() if cache is FROM_ENVIRONMENT else cache
        self._loader = Loader(CompileCache(directory), byte_path=byte_path)
        self._threads = HostThreads()
        self._handle_ids = itertools.count(1)
        self._loaded: dict[ComponentHandle, _Loaded] = {}
        self._maps = MapRoom()
        self._machine(Limits())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    @property
    def engine(self) -> Engine:
        """The plain wasmtime engine; those for fuel and for small memories are made when a component asks for them."""
        return self._machines[PLAIN].engine

    @property
    def linker(self) -> Linker:
        """The plain engine's linker with the host functions of the contract, without WASI."""
        return self._machines[PLAIN].linker

    @property
    def live_stores(self) -> int:
        """Instances that have not been closed, those abandoned in a thread included."""
        return len(self._host.fibers)

    @property
    def abandoned_threads(self) -> int:
        """Threads that are stuck in a blocking import of a guest whose call is over."""
        return self._host.scheduler.abandoned_threads + self._threads.abandoned

    @property
    def compiling(self) -> tuple[Compilation, ...]:
        """What is being compiled at this moment, the longest first."""
        return self._loader.compiling

    @property
    def cache_statistics(self) -> CacheStatistics:
        """What the compile cache has done for this engine so far."""
        return self._loader.cache_statistics

    async def compile(self, source: object, limits: Limits, sha256: str | None = None) -> CompiledComponent:
        """Check and compile a component; a compiled one is returned as it is.

        Args:
            source: bytes, a Path, or a compiled component.
            limits: The size limit holds here; fuel and memory decide for which engine to compile.
            sha256: Hexadecimal digest that the binary must have; None for any.

        Raises:
            InvalidComponent: It cannot be read, is no component, does not validate, or its digest differs.
            ExportNotFound: It does not fit the contract.
            EngineCreation: wasmtime has no engine for these settings.
        """
        machine = self._machine(limits)
        if isinstance(source, CompiledComponent):
            check_digest(source.source, source.digest, sha256)
            await self._loader.build(source, machine)
            return source
        if not isinstance(source, bytes | bytearray | memoryview | Path):
            raise ConfigError("source", source, "is none of bytes, Path and a compiled component")
        data = source if isinstance(source, Path) else bytes(source)
        return await self._loader.load(data, machine, limits, sha256)

    async def bind(self, compiled: CompiledComponent, given: Given) -> CompiledComponent:
        """The component with what host code gives it, for `start`; all that takes long is done in a worker thread.

        Raises:
            ImportsUnfit: All of its imports that nobody provides, and all that does not fit.
            ConfigError: `imports` has an interface that the runtime provides.
        """
        work = functools.partial(bind, compiled, given, self._host.fibers, self._threads.run)
        return await anyio.to_thread.run_sync(work) if has_own_types(compiled, given) else work()

    async def start(self, compiled: CompiledComponent, state: HostState) -> GuestStore:
        """Instantiate a component in a Store of its own, without calling `initialize`.

        Raises:
            InstantiationFailed: An import nobody provides, a limit, or a trap.
            TooManyMaps: The process has no memory maps left for it.
            ConfigError: The payload limit is beyond what component values can carry.
        """
        build = await self._loader.build(compiled, self._machine(state.limits))
        build.check_payload_limit(state.limits)
        await self._maps.admit(build.machine.profile, state.component_id, state.limits.max_memories)
        guest = GuestStore(self._host, compiled, build, state)
        try:
            await guest.instantiate()
        except BaseException:
            await guest.aclose()
            raise
        return guest

    async def inspect(self, source: bytes | Path, limits: Limits) -> ComponentReport:
        """Say what a component imports and exports and whether it fits; raises InvalidComponent when it is none.

        Of one that fits an instance is made, without `initialize`, to ask for its metadata; it can reach nothing.
        """
        machine = self._machine(limits)
        name = source.name if isinstance(source, Path) else "a component"
        found = report(machine, *await self._loader.load_unchecked(source, machine, limits), name)
        if not found.fits:
            return found
        compiled = await self.compile(source, limits)
        build = await self._loader.build(compiled, machine)
        path: Literal["bytes", "values"] = "bytes" if build.frames_for(limits) else "values"
        return attrs.evolve(found, metadata=await self._metadata(compiled, limits), payload_path=path)

    async def load_component(self, id: ComponentId, data: bytes) -> ComponentHandle:  # noqa: A002 - the stable name
        """Compile, instantiate and initialize with default limits; see `RuntimeEngine`.

        Raises:
            InvalidComponent, ExportNotFound: As `compile`.
            InstantiationFailed: As `start`; or `initialize` answered err, trapped or took too long.
        """
        compiled = await self.compile(data, Limits())
        require_contract(compiled)
        guest = await self.start(compiled, HostState(id))
        try:
            await guest.initialize(ComponentConfig())
        except BaseException as exc:
            await guest.aclose()
            if isinstance(exc, GuestError | ExecutionError):
                raise InstantiationFailed(str(exc), id) from exc
            raise
        handle = ComponentHandle(id, next(self._handle_ids))
        self._loaded[handle] = _Loaded(guest)
        return handle

    async def unload_component(self, handle: ComponentHandle) -> None:
        """Let the calls under way end, call `shutdown`, free the instance; silent for an unknown handle.

        Cancellation: the call under way is interrupted, and the instance is freed.
        """
        loaded = self._loaded.pop(handle, None)
        if loaded is None:
            return
        try:
            async with loaded.lock:
                await loaded.guest.shutdown()
        except (GuestError, ExecutionError) as exc:
            reason = str(exc)  # a record may be kept, and the exception would keep the guest
            _logger.warning("%s: shutdown failed: %s", handle, reason)
        finally:
            with anyio.CancelScope(shield=True):
                await loaded.guest.aclose()

    async def call_handle_message(self, handle: ComponentHandle, message: ComponentMessage) -> MessagePayload | None:
        """Have the component handle a message; raises ComponentNotFound, GuestError, ExecutionError."""
        loaded = self._find(handle)
        async with loaded.lock:
            answer = await loaded.guest.handle_message(message)
        return None if answer is None else MessagePayload(answer)

    async def call_handle_callback(self, handle: ComponentHandle, message: ComponentMessage) -> None:
        """Have the component take an answer; raises ComponentNotFound, GuestError, ExecutionError."""
        loaded = self._find(handle)
        async with loaded.lock:
            await loaded.guest.handle_callback(message)

    async def aclose(self) -> None:
        """Unload what is left, end the threads; those stuck in a blocking import stay behind as daemons.

        Cancellation: the threads have ended; what was not unloaded by then cannot be called any more.
        """
        try:
            for handle in list(self._loaded):
                await self.unload_component(handle)
        finally:
            await self._end_threads()

    async def _end_threads(self) -> None:
        threads = self._host.scheduler.close() + self._host.reaper.close()
        for machine in self._machines.values():
            threads += machine.close()
        if threads:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_join, threads)

    async def _metadata(self, compiled: CompiledComponent, limits: Limits) -> ComponentMetadata | None:
        """What a component says of itself; None when it does not say."""
        state = HostState(_INSPECTED, attrs.evolve(limits, max_execution_time=INSPECT_SECONDS))
        try:
            guest = await self.start(compiled, state)
        except AirssysError:
            return None
        try:
            return await guest.metadata()
        except ExecutionError:
            return None
        finally:
            await guest.aclose()

    def _machine(self, limits: Limits) -> Machine:
        profile = Profile.of(limits)
        if profile not in self._machines:
            self._machines[profile] = Machine(self._host_calls, profile)
        return self._machines[profile]

    def _find(self, handle: ComponentHandle) -> _Loaded:
        try:
            return self._loaded[handle]
        except KeyError:
            raise ComponentNotFound(handle) from None


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()
