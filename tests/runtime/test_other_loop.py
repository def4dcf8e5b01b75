"""An engine belongs to the event loop that it was made on."""

import asyncio
import threading

import pytest

from airssys_wasm.core.config import ComponentConfig, Execution
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore
from tests.runtime.guests import GUEST, ask, binary


def elsewhere(guest: GuestStore, outcomes: list[BaseException | bytes | None]) -> None:
    """Ask on another event loop, in another thread."""
    try:
        outcomes.append(asyncio.run(ask(guest, b"echo x")))
    except RuntimeError as exc:
        outcomes.append(exc)


@pytest.mark.parametrize("execution", list(Execution))
async def test_a_guest_cannot_be_called_from_another_loop(engine: WasmtimeEngine, execution: Execution) -> None:
    """It is told so before two threads can be at one Store, and the guest is as good as before."""
    compiled = await engine.compile(binary("hostile"), Limits())
    guest = await engine.start(compiled, HostState(GUEST, execution=execution))
    await guest.initialize(ComponentConfig())
    outcomes = list[BaseException | bytes | None]()
    thread = threading.Thread(target=elsewhere, args=(guest, outcomes))
    thread.start()
    await asyncio.to_thread(thread.join)
    answer = await ask(guest, b"echo here")
    await guest.aclose()
    (refused,) = outcomes
    assert isinstance(refused, RuntimeError)
    assert ("this engine belongs to another event loop; make one on each", b"here") == (str(refused), answer)
