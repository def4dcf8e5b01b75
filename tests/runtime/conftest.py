"""An engine of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.lanes import PollThreads
from tests.runtime.bare import BareEngine
from tests.runtime.guests import Start
from tests.runtime.plugins import Kv, Plugin, start_plugin


@pytest.fixture
def bare() -> BareEngine:
    """The C API without the runtime."""
    return BareEngine()


@pytest.fixture
def byte_path() -> bool:
    """Whether payloads cross as one block; `BOTH_PATHS` runs a test with both answers."""
    return True


@pytest.fixture
async def engine(byte_path: bool) -> AsyncIterator[WasmtimeEngine]:
    """An engine whose Stores are all gone when the test is over."""
    async with WasmtimeEngine(byte_path=byte_path) as engine:
        yield engine
    assert 0 == engine.live_stores


@pytest.fixture
async def start(engine: WasmtimeEngine) -> AsyncIterator[Start]:
    """Start guests that are closed with the test."""
    start = Start(engine)
    yield start
    await start.aclose()


@pytest.fixture
async def plugin(engine: WasmtimeEngine) -> AsyncIterator[Plugin]:
    """The plugin guest with a `Kv` of its own."""
    plugin = Plugin(await start_plugin(engine, Kv()))
    yield plugin
    await plugin.aclose()


@pytest.fixture
async def threads() -> AsyncIterator[PollThreads]:
    """One worker, so that calls have to share it."""
    threads = PollThreads(1)
    yield threads
    for thread in threads.close():
        thread.join()
