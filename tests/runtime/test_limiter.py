"""Bounds of a Store, met by components that start too large or grow."""

import pytest

from airssys_wasm.core.errors import InstantiationFailed, TooManyMaps, Trap
from airssys_wasm.core.limits import MIB, Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from tests.guests import wat
from tests.runtime.guests import GUEST, Start

GROW = "(func $main (if (i32.ne (table.grow (ref.null func) (i32.const {})) (i32.const {})) (then unreachable)))"


def with_module(fields: str) -> bytes:
    """A component that fits, with one more module in it."""
    return wat.lifecycle(prelude=f"(core module $more {fields}) (core instance (instantiate $more))")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("(memory 1025)", "exceeds memory limits"),
        ("(table 10001 funcref)", "exceeds table limits"),
        ("(memory 1)", "memory count too high"),
        ("(func $main unreachable) (start $main)", "unreachable"),
    ],
    ids=["memory", "table", "second memory", "trap"],
)
async def test_a_component_that_starts_beyond_its_limits_does_not_start(
    engine: WasmtimeEngine, fields: str, problem: str
) -> None:
    """An error with the reason; nothing is left of it."""
    compiled = await engine.compile(with_module(fields), Limits())
    with pytest.raises(InstantiationFailed, match=problem):
        await engine.start(compiled, HostState(GUEST))
    assert 0 == engine.live_stores


@pytest.mark.parametrize(("elements", "answer"), [(90, 10), (91, -1)])
async def test_a_table_grows_up_to_its_limit(start: Start, elements: int, answer: int) -> None:
    """Beyond it the guest is answered -1. The module traps when the answer is another."""
    data = with_module(f"(table 10 funcref) {GROW.format(elements, answer)} (start $main)")
    with pytest.raises(Trap):  # of initialize, which comes after
        await start(data, limits=Limits(table_elements=100))


async def test_limits_are_each_components_own(engine: WasmtimeEngine) -> None:
    """One compiled component, two sets of limits."""
    compiled = await engine.compile(with_module("(table 500 funcref)"), Limits())
    with pytest.raises(InstantiationFailed):
        await engine.start(compiled, HostState(GUEST, Limits(table_elements=499)))
    guest = await engine.start(compiled, HostState(GUEST, Limits(table_elements=500, max_memory_bytes=MIB)))
    await guest.aclose()


@pytest.mark.parametrize(("memories", "answer"), [(2, 1), (4, -1)])
async def test_memories_of_a_composed_component_share_what_it_may_use(start: Start, memories: int, answer: int) -> None:
    """Each grows up to its share, 8 or 4 pages of 16; the module traps on another answer."""
    grow = f"(if (i32.ne (memory.grow (i32.const 7)) (i32.const {answer})) (then unreachable))"
    data = with_module(f"(memory 1) (func $main {grow}) (start $main)")
    with pytest.raises(Trap):  # of initialize, which comes after
        await start(data, limits=Limits(max_memory_bytes=MIB, max_memories=memories))


async def test_no_number_of_memories_is_no_number(engine: WasmtimeEngine) -> None:
    """The most that can be said leaves none of them a page."""
    compiled = await engine.compile(with_module("(memory 1)"), Limits())
    with pytest.raises((InstantiationFailed, TooManyMaps)):
        await engine.start(compiled, HostState(GUEST, Limits(max_memories=2**63 - 1)))


async def test_a_start_that_never_ends_has_a_deadline(engine: WasmtimeEngine) -> None:
    """As any call."""
    compiled = await engine.compile(with_module("(func $main (loop (br 0))) (start $main)"), Limits())
    with pytest.raises(Trap, match="ran for more than"):
        await engine.start(compiled, HostState(GUEST, Limits(max_execution_time=0.2)))
    assert 0 == engine.live_stores
