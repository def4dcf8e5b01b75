"""A system of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from airssys_wasm import ActorSystem
from airssys_wasm.security.sinks import MemorySink
from tests.contract.gate import Gate
from tests.contract.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A system whose requests have all ended when it is left, their timer included."""
    sink = MemorySink()
    async with ActorSystem(audit=[sink]) as system:
        stage = Stage(system, sink)
        yield stage
    assert (0, None, {}) == (len(stage.requests), stage.requests._timer, stage.requests._under_way)


@pytest.fixture
async def gate(stage: Stage) -> Gate:
    """Host code that guests may ask, and that answers when it is opened."""
    gate = Gate()
    await gate.serve(stage.system)
    return gate
