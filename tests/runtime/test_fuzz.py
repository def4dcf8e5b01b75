"""Mutated components, from the first byte to an answer: only errors that have a type, the process lives on."""

import random
from collections import Counter

import pytest

from airssys_wasm.core.config import ComponentConfig, Execution
from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.limits import MIB, Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from benchmarks.hostile_mutants import mutated
from tests.guests import wat
from tests.runtime.guests import GUEST, ask, binary

LIMITS = Limits(max_execution_time=0.3, max_memory_bytes=8 * MIB)
PAYLOADS = (b"echo x", b"huge 5000", b"self-id", b"envelope", b"log info x")
COUNT = 150


async def live(engine: WasmtimeEngine, data: bytes, execution: Execution) -> str:
    """A component's whole life; how far it got."""
    stage = "compile"
    try:
        compiled = await engine.compile(data, LIMITS)
        stage = "start"
        guest = await engine.start(compiled, HostState(GUEST, LIMITS, execution=execution))
        try:
            stage = "initialize"
            await guest.initialize(ComponentConfig())
            stage = "call"
            for payload in PAYLOADS:
                await ask(guest, payload)
            await guest.health()
            await guest.shutdown()
            stage = "end"
        finally:
            await guest.aclose()
    except AirssysError:
        return stage
    return stage


@pytest.mark.parametrize("execution", list(Execution))
@pytest.mark.parametrize("name", ["echo", "hostile", "wasi", "lifecycle"])
async def test_a_mutated_component_fails_with_a_type_or_works(name: str, execution: Execution) -> None:
    """A few hundred of them, the same each time; some live to the end, most do not compile."""
    data = wat.lifecycle() if name == "lifecycle" else binary(name)
    dice, stages = random.Random(f"{name} {execution}"), Counter[str]()
    async with WasmtimeEngine(cache=None) as engine:
        for _ in range(COUNT // (5 if name == "hostile" else 2)):
            stages[await live(engine, mutated(data, dice), execution)] += 1
        assert 0 == engine.live_stores - engine.abandoned_threads
    assert stages["compile"] > 0


@pytest.mark.parametrize("execution", list(Execution))
async def test_random_payloads_do_not_break_the_hostile_guest(engine: WasmtimeEngine, execution: Execution) -> None:
    """Whatever is in a message, in its envelope or behind a command."""
    dice = random.Random(f"payloads {execution}")
    compiled = await engine.compile(binary("hostile"), LIMITS)
    words = [b"send", b"broadcast", b"log", b"err", b"huge", b"spin", b"meta", b"storage-set", b"echo", b"request"]
    for _ in range(60):
        guest = await engine.start(compiled, HostState(GUEST, LIMITS, execution=execution))
        try:
            payload = dice.choice(words) + b" " + dice.randbytes(dice.randrange(60))
            await ask(guest, payload)
        except AirssysError:
            pass
        finally:
            await guest.aclose()
