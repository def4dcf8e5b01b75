"""An engine of its own for each test, and a compile cache of their own for all."""

from collections.abc import AsyncIterator, Iterator

import pytest

from airssys_wasm.core.config import ComponentConfig, Execution
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState, Outbox
from airssys_wasm.runtime.cache import DIRECTORY_VARIABLE
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore
from tests.runtime.bare import BareEngine
from tests.runtime.guests import GUEST, Start, binary


@pytest.fixture(scope="session", autouse=True)
def _own_compile_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled components out of the user's cache, and apart from those of other runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DIRECTORY_VARIABLE, str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture
def bare() -> BareEngine:
    """The C API without the runtime."""
    return BareEngine()


@pytest.fixture
async def engine() -> AsyncIterator[WasmtimeEngine]:
    """An engine whose Stores are all gone when the test is over."""
    async with WasmtimeEngine() as engine:
        yield engine
    assert 0 == engine.live_stores


@pytest.fixture
async def start(engine: WasmtimeEngine) -> AsyncIterator[Start]:
    """Start guests that are closed with the test."""
    guests = list[GuestStore]()

    async def started(
        source: str | bytes | CompiledComponent = "hostile",
        *,
        limits: Limits | None = None,
        config: str | None = None,
        env: dict[str, str] | None = None,
        execution: Execution = Execution.AUTO,
        outbox: Outbox | None = None,
        component: ComponentId = GUEST,
    ) -> GuestStore:
        state = HostState(component, limits or Limits(), outbox, execution)
        compiled = await engine.compile(binary(source) if isinstance(source, str) else source, state.limits)
        guest = await engine.start(compiled, state)
        guests.append(guest)
        await guest.initialize(ComponentConfig.of(config, env))
        return guest

    yield started
    while guests:
        await guests.pop().aclose()
