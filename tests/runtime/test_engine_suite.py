"""Both runtimes keep the same promises."""

from collections.abc import AsyncIterator

import pytest

from airssys_wasm.actor.supervisor import Supervisor
from airssys_wasm.core.ports import RuntimeEngine
from airssys_wasm.runtime.engine import WasmtimeEngine
from tests.runtime.engine_suite import RuntimeEngineSuite
from tests.runtime.guests import BOTH_PATHS


@BOTH_PATHS
class TestWasmtimeEngine(RuntimeEngineSuite):
    """The bare engine."""

    @pytest.fixture
    async def runtime(self, engine: WasmtimeEngine) -> AsyncIterator[RuntimeEngine]:
        """Closed with the test, with what is still loaded."""
        yield engine
        await engine.aclose()


@BOTH_PATHS
class TestSupervisor(RuntimeEngineSuite):
    """The same guests, with an actor and a mailbox in front of each."""

    @pytest.fixture
    async def runtime(self, engine: WasmtimeEngine) -> AsyncIterator[RuntimeEngine]:
        """Left with the test, with what is still loaded."""
        async with Supervisor(engine) as supervisor:
            yield supervisor
