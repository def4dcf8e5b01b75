"""What is unloaded or closed cannot be called, and what is cancelled meanwhile is freed all the same."""

import asyncio
import threading

import anyio
import pytest

from airssys_wasm.core.config import ComponentConfig, Execution
from airssys_wasm.core.errors import Interrupted, InvalidComponent
from airssys_wasm.core.ids import ComponentHandle
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from tests.runtime.guests import GUEST, ask, binary, message


async def busy(engine: WasmtimeEngine) -> "tuple[ComponentHandle, asyncio.Task[object]]":
    """A component with a call under way."""
    handle = await engine.load_component(GUEST, binary("hostile"))
    calling = asyncio.create_task(engine.call_handle_message(handle, message(b"sleep 60000")))
    await asyncio.sleep(0.05)
    return handle, calling


async def test_a_cancelled_unload_frees_the_instance(engine: WasmtimeEngine) -> None:
    """In a scope of anyio's too, which cancels every wait in it: nobody could unload it again."""
    handle, calling = await busy(engine)
    with anyio.move_on_after(0.01):
        await engine.unload_component(handle)
    (outcome,) = await asyncio.gather(calling, return_exceptions=True)
    assert (0, Interrupted) == (engine.live_stores, type(outcome))


async def test_a_compiled_component_has_to_have_the_digest_too(engine: WasmtimeEngine) -> None:
    """As its binary had to."""
    compiled = await engine.compile(binary("echo"), Limits())
    assert compiled is await engine.compile(compiled, Limits(), compiled.digest.upper())
    with pytest.raises(InvalidComponent, match="SHA-256"):
        await engine.compile(compiled, Limits(), "0" * 64)


@pytest.mark.parametrize("execution", list(Execution))
async def test_a_guest_of_a_closed_engine_is_not_called(execution: Execution) -> None:
    """There are no ticks any more: in an endless loop it would hold the event loop for ever."""
    async with WasmtimeEngine() as engine:
        compiled = await engine.compile(binary("hostile"), Limits())
        guest = await engine.start(compiled, HostState(GUEST, execution=execution))
        await guest.initialize(ComponentConfig())
    with pytest.raises(RuntimeError, match="the engine is closed"):
        await ask(guest, b"count")
    with pytest.raises(RuntimeError, match="the engine is closed"):
        await engine.start(compiled, HostState(GUEST, execution=execution))
    await guest.aclose()
    for thread in engine._host.scheduler.close():
        await asyncio.to_thread(thread.join)
    assert 0 == engine.live_stores


async def test_a_cancelled_close_ends_the_threads() -> None:
    """Nobody closes an engine twice, and a ticker would tick for ever."""
    engine = WasmtimeEngine()
    handle, calling = await busy(engine)
    with anyio.move_on_after(0.01):
        await engine.aclose()
    await asyncio.gather(calling, return_exceptions=True)
    names = {thread.name for thread in threading.enumerate()}
    assert ([], 0) == ([name for name in names if name.startswith("airssys")], engine.live_stores)
    await engine.unload_component(handle)
