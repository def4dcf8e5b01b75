"""`WasmtimeEngine` as it is made, used, and closed."""

import asyncio
import threading
from pathlib import Path

import attrs
import pytest
from wasmtime import Engine
from wasmtime.component import Linker

from airssys_wasm.core.config import ComponentConfig, Execution
from airssys_wasm.core.errors import ConfigError, EngineCreation, InstantiationFailed, Trap
from airssys_wasm.core.limits import BYTE_PATH_MAX_PAYLOAD_BYTES, MIB, VALUE_PATH_MAX_PAYLOAD_BYTES, Limits
from airssys_wasm.core.ports import GuestHost, HostState
from airssys_wasm.runtime import machine
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.testing.leaks import live_instances, resident_bytes
from tests.runtime.guests import GUEST, Start, ask, binary, message, said

OURS = "airssys"


def our_threads() -> list[str]:
    """The names of the runtime's threads."""
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith(OURS))


def open_files() -> int:
    """How many there are."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_engine_and_linker_can_be_reached(engine: WasmtimeEngine) -> None:
    """The plain ones, and always the same."""
    assert (Engine, Linker) == (type(engine.engine), type(engine.linker))
    assert engine.engine is engine.engine


async def test_an_engine_that_cannot_be_made_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fixed beginning of the text."""

    def broken(*_: object, **__: object) -> None:
        raise AttributeError("no such setting")

    monkeypatch.setattr(machine, "_configuration", broken)
    with pytest.raises(EngineCreation, match=r"^Engine creation failed: no such setting$"):
        WasmtimeEngine()


def test_an_engine_belongs_to_a_running_loop() -> None:
    """Its calls are driven by it."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        WasmtimeEngine()


async def test_the_metered_engine_is_made_on_first_use(engine: WasmtimeEngine, start: Start) -> None:
    """And the plain one stays the one that `.engine` gives."""
    plain = engine.engine
    assert ["plain"] == list(map(str, engine._machines))
    await start("echo", limits=Limits(max_fuel=10_000_000))
    assert ["plain", "metered"] == list(map(str, engine._machines))
    assert plain is engine.engine


async def test_closing_ends_every_thread() -> None:
    """Ticker, workers, reaper."""
    async with WasmtimeEngine() as engine:
        guest = await engine.start(await engine.compile(binary("hostile"), Limits()), HostState(GUEST))
        await guest.initialize(ComponentConfig())
        await said(guest, "spin 30000000")
        await guest.aclose()
        assert our_threads()
    for _ in range(200):
        if not our_threads():
            break
        await asyncio.sleep(0.01)
    assert [] == our_threads()


async def test_closing_unloads_what_is_loaded() -> None:
    """No Store outlives its engine."""
    engine = WasmtimeEngine()
    for _ in range(3):
        await engine.load_component(GUEST, binary("counter"))
    assert 3 == engine.live_stores
    await engine.aclose()
    await engine.aclose()
    assert 0 == engine.live_stores


async def test_a_failed_start_leaves_no_store(engine: WasmtimeEngine) -> None:
    """Neither a limit nor a missing import does."""
    compiled = await engine.compile(binary("hostile"), Limits())
    with pytest.raises(InstantiationFailed, match="exceeds memory limits"):
        await engine.start(compiled, HostState(GUEST, Limits(max_memory_bytes=1)))
    assert 0 == engine.live_stores


@pytest.mark.parametrize(
    ("byte_path", "payload", "memory"),
    [
        (False, VALUE_PATH_MAX_PAYLOAD_BYTES, 64 * MIB),
        (True, BYTE_PATH_MAX_PAYLOAD_BYTES, 128 * MIB),
        (True, VALUE_PATH_MAX_PAYLOAD_BYTES, 1 * MIB),  # less than a frame of its largest payload: the value path
    ],
)
async def test_payload_limits_beyond_what_can_cross_are_refused(
    engine: WasmtimeEngine, payload: int, memory: int
) -> None:
    """At the start, not at the first large message; what it says depends on the path."""
    compiled = await engine.compile(binary("echo"), Limits())
    limits = Limits(max_payload_bytes=payload, max_memory_bytes=memory)
    await (await engine.start(compiled, HostState(GUEST, limits))).aclose()
    with pytest.raises(ConfigError, match=f"max_payload_bytes is over {payload},"):
        await engine.start(compiled, HostState(GUEST, attrs.evolve(limits, max_payload_bytes=payload + 1)))


async def test_a_component_compiled_by_one_engine_runs_on_another() -> None:
    """Even when the first one is closed: with the second one's ticker, linker and host functions."""
    async with WasmtimeEngine() as first:
        compiled = await first.compile(binary("hostile"), Limits())
    async with WasmtimeEngine() as second:
        state = HostState(GUEST, Limits(max_execution_time=0.5), execution=Execution.LOOP)
        guest = await second.start(compiled, state)
        await guest.initialize(ComponentConfig())
        assert "demo/guest/0" == await said(guest, "self-id")
        with pytest.raises(Trap, match="ran for more than"):
            await ask(guest, b"loop")
        await guest.aclose()


async def test_unload_calls_shutdown_and_survives_what_it_does(
    engine: WasmtimeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """A guest that traps there is gone all the same."""
    handle = await engine.load_component(GUEST, binary("hostile"))
    with pytest.raises(Trap):
        await engine.call_handle_message(handle, message(b"trap"))
    await engine.unload_component(handle)
    assert 0 == engine.live_stores
    assert "shutdown failed" in caplog.text


async def test_an_engine_is_a_host_of_guests(engine: WasmtimeEngine) -> None:
    """The port that supervisors stand on."""
    host: GuestHost = engine
    guest = await host.start(await host.compile(binary("echo"), Limits()), HostState(GUEST))
    assert "echo" == (await guest.initialize(ComponentConfig())).name
    await guest.aclose()


async def test_a_thousand_loads_leave_nothing_behind() -> None:
    """No Store, no file, no thread, and memory stays flat after the first hundred."""
    data = binary("echo")
    async with WasmtimeEngine() as engine:
        compiled = await engine.compile(data, Limits())

        async def cycle() -> None:
            guest = await engine.start(compiled, HostState(GUEST))
            await guest.initialize(ComponentConfig())
            assert b"x" == await ask(guest, b"x")
            await guest.shutdown()
            await guest.aclose()

        for _ in range(100):
            await cycle()
        before, files = resident_bytes(), open_files()
        for _ in range(900):
            await cycle()
        assert (0, files) == (engine.live_stores, open_files())
        assert resident_bytes() - before < 32 * MIB
    assert [] == live_instances("airssys_wasm.runtime.store.GuestStore")
