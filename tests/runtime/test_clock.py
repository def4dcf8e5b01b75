"""What of a step's time is put down to it, with a thread whose time the test makes pass."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import DeadlineExceeded
from airssys_wasm.core.limits import Limits
from airssys_wasm.runtime.clock import DOUBTFUL_STEP, MAX_AGE, LoopClock
from airssys_wasm.runtime.conduct import LONG_STEP
from airssys_wasm.runtime.lanes import RunQueue
from airssys_wasm.runtime.store import GuestStore
from tests.runtime.guests import Start, said

ROUNDING = 1e-9


class Thread:
    """A thread that has a core at times, and how often its own time was read."""

    def __init__(self) -> None:
        self.wall = self.own = 0.0
        self.readings = 0
        self.clock = LoopClock(lambda: self.wall, self._read)

    def _read(self) -> float:
        self.readings += 1
        return self.own

    def run(self, seconds: float) -> None:
        """Have a core."""
        self.wall += seconds
        self.own += seconds

    def wait(self, seconds: float) -> None:
        """Have none."""
        self.wall += seconds


def test_a_step_that_was_preempted_is_not_long() -> None:
    """What others took is not its own, and stays in the wall clock's figure."""
    thread = Thread()
    started = thread.clock.begin()
    thread.run(20e-6)
    thread.wait(0.2)
    assert thread.clock.end(started) == pytest.approx((0.20002, 20e-6))


def test_a_step_that_computed_is_long() -> None:
    """Also when it was preempted on top, and when the reading is from before."""
    thread = Thread()
    thread.clock.begin()
    thread.wait(MAX_AGE / 2)
    started = thread.clock.begin()
    thread.run(0.02)
    thread.wait(0.1)
    assert thread.clock.end(started)[1] == pytest.approx(0.02 - MAX_AGE / 2)


def test_short_steps_one_after_the_other_read_the_threads_time_four_times_a_tick() -> None:
    """It is a system call."""
    thread = Thread()
    for _ in range(1000):
        started = thread.clock.begin()
        thread.run(10e-6)
        assert thread.clock.end(started) == pytest.approx((10e-6, 10e-6))
    assert thread.readings <= 1000 * 10e-6 / MAX_AGE + 1


Parts = list[tuple[bool, float]]
_PARTS = st.lists(st.tuples(st.booleans(), st.floats(0, 4 * DOUBTFUL_STEP)), max_size=4)


def _pass(thread: Thread, parts: Parts) -> None:
    for has_core, seconds in parts:
        (thread.run if has_core else thread.wait)(seconds)


@given(st.lists(st.tuples(_PARTS, _PARTS), max_size=20))
def test_a_doubtful_step_answers_for_nothing_but_its_own_time(history: list[tuple[Parts, Parts]]) -> None:
    """And at most `MAX_AGE` of what was is left out, whatever happens between the steps."""
    thread = Thread()
    for between, within in history:
        _pass(thread, between)
        started, own_then = thread.clock.begin(), thread.own
        _pass(thread, within)
        seconds, own = thread.clock.end(started)
        if seconds > DOUBTFUL_STEP:
            true = thread.own - own_then
            assert true - MAX_AGE - ROUNDING <= own <= true + ROUNDING


async def known(start: Start) -> GuestStore:
    """A guest whose next call runs on the loop, with a limit that its endless loop soon meets."""
    guest = await start(limits=Limits(max_execution_time=0.3))
    guest._compiled.conduct.probation = 0
    await asyncio.sleep(0)  # so that the loop's budget is whole
    return guest


def slow(guest: GuestStore, *, computes: bool) -> None:
    """Make each of its steps on the loop take long, with a core or without."""
    thread = Thread()

    def wall() -> float:
        (thread.run if computes else thread.wait)(10 * LONG_STEP)
        return thread.wall

    guest._fiber.clock = LoopClock(wall, lambda: thread.own)


@pytest.mark.parametrize("computes", [True, False])
async def test_only_a_guest_that_computed_for_long_has_to_leave_the_loop(start: Start, computes: bool) -> None:
    """Not one whose short call fell into a moment when the loop's thread had no core."""
    guest = await known(start)
    slow(guest, computes=computes)
    await said(guest, "count")
    assert computes is guest._compiled.conduct.needs_thread


@pytest.mark.parametrize("computes", [True, False])
async def test_only_a_call_that_used_up_its_slice_waits_with_the_long_ones(
    start: Start, monkeypatch: pytest.MonkeyPatch, computes: bool
) -> None:
    """One that was preempted in it, and so lost it, has had nothing yet."""
    turns, turn = list[bool](), RunQueue.turn

    async def noted(queue: RunQueue, *, fresh: bool) -> None:
        turns.append(fresh)
        await turn(queue, fresh=fresh)

    monkeypatch.setattr(RunQueue, "turn", noted)
    guest = await known(start)
    slow(guest, computes=computes)
    turns.clear()
    with pytest.raises(DeadlineExceeded):
        await said(guest, "loop")
    assert {not computes} == set(turns)
