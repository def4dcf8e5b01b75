"""Guests that are written in the test."""

import pytest

from airssys_wasm import ActorSystem, ComponentCrashed, ComponentId, DeadlineExceeded, GuestError, Limits
from airssys_wasm.core.errors import InvalidComponent
from airssys_wasm.testing import DATA_AT, contract_component

GUEST = ComponentId("demo", "guest", "0")
COUNTS = """
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store8 (i32.const 2048) (i32.add (global.get $count) (i32.const 48)))
    (call $some (i32.const 2048) (i32.const 1))
"""


async def test_without_a_body_it_echoes(actor_system: ActorSystem) -> None:
    """Large messages too, again and again: what the host wrote is released after each answer."""
    guest = await actor_system.load(GUEST, contract_component(name="tiny"), limits=Limits(max_memory_bytes=2 << 20))
    assert "tiny" == guest.metadata.name
    for size in (0, 1, 100_000, 100_000, 100_000, 1_000_000, 1_000_000, 1_000_000):
        assert b"x" * size == await guest.ask(b"x" * size)


async def test_a_body_answers_fails_traps_loops_and_counts(actor_system: ActorSystem) -> None:
    """Each of them in one line, with data that the test gives and globals that live as long as the instance."""
    bodies = {
        "pong": f"(call $some (i32.const {DATA_AT}) (i32.const 4))",
        "none": "(call $none)",
        "fail": f"(call $fail (i32.const {DATA_AT}) (i32.const 4))",
        "trap": "unreachable",
        "loop": "(loop (br 0)) unreachable",
        "count": COUNTS,
    }
    guests = {
        name: await actor_system.load(
            ComponentId("demo", name, "0"),
            contract_component(body, data="pong", fields="(global $count (mut i32) (i32.const 0))"),
            limits=Limits(max_execution_time=0.1),
        )
        for name, body in bodies.items()
    }
    assert (b"pong", None) == (await guests["pong"].ask(b""), await guests["none"].ask(b""))
    assert [b"1", b"2"] == [await guests["count"].ask(b"") for _ in range(2)]
    with pytest.raises(GuestError, match="runtime-error: pong"):
        await guests["fail"].ask(b"")
    with pytest.raises(ComponentCrashed, match="unreachable"):
        await guests["trap"].ask(b"")
    with pytest.raises(ComponentCrashed) as crash:
        await guests["loop"].ask(b"")
    assert isinstance(crash.value.__cause__, DeadlineExceeded)


async def test_the_other_exports_can_be_written_too(actor_system: ActorSystem) -> None:
    """An `initialize` that fails is a load that fails."""
    with pytest.raises(Exception, match="unreachable"):
        await actor_system.load(GUEST, contract_component(initialize="unreachable"))


def test_a_mistake_in_the_text_is_told_with_its_place() -> None:
    """In the words of the assembler."""
    with pytest.raises(InvalidComponent, match="unknown func"):
        contract_component("(call $nothing)")
