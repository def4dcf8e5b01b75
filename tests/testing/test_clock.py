"""A clock that stands still until a test moves it."""

import asyncio

from airssys_wasm.core.ports import Clock
from airssys_wasm.testing.clock import ManualClock


async def test_callbacks_run_in_the_order_of_their_times() -> None:
    """Each at its own time; those that a callback adds inside the same advance run too."""
    clock, seen = ManualClock(0.0), list[tuple[str, float]]()

    def note(name: str) -> None:
        seen.append((name, clock.time()))

    def again() -> None:
        note("b")
        clock.call_at(2.5, lambda: note("c"))

    clock.call_at(3.0, lambda: note("d"))
    clock.call_at(2.0, again)
    clock.call_at(1.0, lambda: note("a"))
    clock.call_at(1.5, lambda: note("cancelled")).cancel()
    assert [1.0, 2.0, 3.0] == clock.pending
    await clock.advance(2.9)
    assert [("a", 1.0), ("b", 2.0), ("c", 2.5)] == seen
    await clock.advance(0.1)
    assert ("d", 3.0) == seen[-1]
    assert ([], 3.0) == (clock.pending, clock.time())


async def test_a_time_that_has_passed_is_due_at_once() -> None:
    """At the next advance, which may be by nothing."""
    clock, seen = ManualClock(5.0), list[float]()
    clock.call_at(1.0, lambda: seen.append(clock.time()))
    await clock.advance(0)
    assert [5.0] == seen


async def test_a_running_loop_is_a_clock_too() -> None:
    """The port is the part of it that the runtime uses."""
    clock: Clock = asyncio.get_running_loop()
    rang = asyncio.Event()
    clock.call_at(clock.time(), rang.set)
    clock.call_at(clock.time(), rang.clear).cancel()
    await rang.wait()
