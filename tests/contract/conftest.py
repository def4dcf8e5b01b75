"""A system of its own for each test, and a compile cache of their own for all."""

from collections.abc import AsyncIterator, Iterator

import pytest

from airssys_wasm import ActorSystem
from airssys_wasm.runtime.cache import DIRECTORY_VARIABLE
from airssys_wasm.security.sinks import MemorySink
from tests.contract.gate import Gate
from tests.contract.stage import Stage


@pytest.fixture(scope="session", autouse=True)
def _own_compile_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled components out of the user's cache, and apart from those of other runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DIRECTORY_VARIABLE, str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A system whose requests have all ended when it is left, their timer included."""
    sink = MemorySink()
    async with ActorSystem(audit=[sink]) as system:
        stage = Stage(system, sink)
        yield stage
    assert (0, None, {}) == (len(stage.requests), stage.requests._timer, stage.requests._envelopes)


@pytest.fixture
async def gate(stage: Stage) -> Gate:
    """Host code that guests may ask, and that answers when it is opened."""
    gate = Gate()
    await gate.serve(stage.system)
    return gate
