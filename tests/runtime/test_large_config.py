"""A large configuration takes as long to copy as a large message, and is copied in a thread like one."""

import threading

import pytest

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.fibers import Fiber
from tests.runtime.guests import GUEST, binary

SMALL = ComponentConfig.of("small", {"NAME": "value"})
LARGE = [
    ComponentConfig.of("x" * 100_000),
    ComponentConfig.of(None, {f"NAME{number}": "value" for number in range(1000)}),
]


@pytest.mark.parametrize("config", LARGE, ids=["config", "env"])
async def test_a_large_configuration_is_not_copied_on_the_loop(
    engine: WasmtimeEngine, config: ComponentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a component whose calls are short, as one that has been loaded a few times is known to be."""
    polls, poll = list[bool](), Fiber.poll

    def noted(fiber: Fiber) -> bool:
        polls.append(threading.current_thread() is threading.main_thread())
        return poll(fiber)

    monkeypatch.setattr(Fiber, "poll", noted)
    compiled = await engine.compile(binary("hostile"), Limits())
    where = dict[ComponentConfig, list[bool]]()
    for given in (SMALL, config):
        guest = await engine.start(compiled, HostState(GUEST))
        compiled.conduct.probation = 0
        polls.clear()
        await guest.initialize(given)
        where[given] = polls.copy()
        await guest.aclose()
    assert (True, False) == (where[SMALL][0], where[config][0])
