"""A guest without an actor: what wasmtime itself has to do for an instance."""

import time
from collections.abc import Awaitable, Callable

from airssys_wasm import ComponentId, HostState
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.runtime.engine import WasmtimeEngine

Sample = Callable[[], Awaitable[float]]
"""Does it once; the seconds that it took."""


def instance(engine: WasmtimeEngine, compiled: CompiledComponent, *, initialized: bool) -> Sample:
    """A Store and an instance, and nothing else or what a guest begins with."""
    bare = HostState(ComponentId("bench", "bare", "0"))

    async def once() -> float:
        began = time.perf_counter()
        guest = await engine.start(compiled, bare)
        if initialized:
            await guest.initialize(ComponentConfig())
        taken = time.perf_counter() - began
        await guest.aclose()
        return taken

    return once
