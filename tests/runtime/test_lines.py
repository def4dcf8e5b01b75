"""Who is next on the worker threads: newcomers before calls that are long by now, which are not starved."""

import asyncio
import gc
import weakref

import pytest

from airssys_wasm.runtime.job import Job
from airssys_wasm.runtime.lanes import THREAD_SLICE_TICKS, Lines, PollThreads
from tests.runtime.steps import Endless, Steps


def job(name: str, *, long: bool, slice_ticks: int = 1) -> Job:
    """One that waits in a line."""
    call = Steps(name, 1, [])
    call.slice_ticks = slice_ticks
    job = Job(call, asyncio.get_running_loop())
    job.ticks = THREAD_SLICE_TICKS if long else 0
    return job


def served(lines: Lines, count: int) -> str:
    """The names of the next ones; each waits again at once."""
    names = ""
    for _ in range(count):
        next_one = lines.pop()
        assert next_one is not None
        assert isinstance(next_one.call, Steps)
        names += next_one.call.name
        lines.add(next_one)
    return names


async def test_a_newcomer_comes_before_all_that_are_long() -> None:
    """It waits for the slice under way, and for no other."""
    lines = Lines()
    for _ in range(100):
        lines.add(job("l", long=True))
    before = served(lines, 7)
    lines.add(job("s", long=False))
    assert ("l" * 7, "s") == (before, served(lines, 1))


@pytest.mark.parametrize(("slice_ticks", "between"), [(1, THREAD_SLICE_TICKS), (THREAD_SLICE_TICKS, 1)])
async def test_a_flood_of_short_calls_leaves_the_long_ones_half_of_the_time(slice_ticks: int, between: int) -> None:
    """Counted in the ticks that they are given, not in turns."""
    lines = Lines()
    for _ in range(2):
        lines.add(job("l", long=True, slice_ticks=THREAD_SLICE_TICKS))
    for _ in range(3):
        lines.add(job("s", long=False, slice_ticks=slice_ticks))
    assert ("s" * between + "l") * 3 == served(lines, 3 * (between + 1))


async def test_whoever_is_alone_is_served_at_once() -> None:
    """And then there is nobody."""
    lines = Lines()
    for long in (True, False, True, True, False, False):
        lines.add(job("x", long=long))
        assert lines
        assert lines.pop() is not None
        assert (False, None) == (bool(lines), lines.pop())


async def in_order(threads: PollThreads, *calls: tuple[Steps, bool]) -> None:
    """Have calls wait in that order for a busy thread, fresh or not, and then run until they have ended."""
    blocker = Endless()
    blocking = asyncio.create_task(threads.run(blocker))
    await asyncio.to_thread(blocker.entered.wait)
    running = [asyncio.create_task(threads.run(call, fresh=fresh)) for call, fresh in calls]
    await asyncio.sleep(0)
    blocker.waiting = True
    blocker.let_go.set()
    await asyncio.gather(blocking, *running)


async def test_a_newcomer_is_through_before_a_long_one_goes_on(threads: PollThreads) -> None:
    """As long as all its slices together are no more than one of the long one's."""
    log = list[str]()
    await in_order(threads, (Steps("long", 1, log), False), (Steps("short", THREAD_SLICE_TICKS, log), True))
    assert ["short"] * THREAD_SLICE_TICKS + ["long"] == log


async def test_a_long_one_on_probation_has_as_much_time_as_any_other(threads: PollThreads) -> None:
    """Its slices are short, so it gets as many of them in a turn as make a whole one."""
    log = list[str]()
    probationer, trusted = Steps("p", 2 * THREAD_SLICE_TICKS, log), Steps("t", 2, log)
    trusted.slice_ticks = THREAD_SLICE_TICKS
    await in_order(threads, (probationer, False), (trusted, False))
    assert "".join((["p"] * THREAD_SLICE_TICKS + ["t"]) * 2) == "".join(log)


async def test_a_call_that_goes_on_and_on_is_long_by_then(threads: PollThreads) -> None:
    """It makes room after a whole slice for one that was long before it came."""
    log = list[str]()
    await in_order(threads, (Steps("n", THREAD_SLICE_TICKS + 1, log), True), (Steps("l", 1, log), False))
    assert ["n"] * THREAD_SLICE_TICKS + ["l", "n"] == log


async def test_a_withdrawn_call_is_let_go(threads: PollThreads) -> None:
    """A thread that comes across it keeps nothing of it until the next one."""
    blocker, waiting = Endless(), Steps("a", 1, [])
    withdrawn = weakref.ref(waiting)
    blocking = asyncio.create_task(threads.run(blocker))
    await asyncio.to_thread(blocker.entered.wait)
    task = asyncio.create_task(threads.run(waiting))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    blocker.waiting = True
    blocker.let_go.set()
    await blocking
    del task, waiting
    async with asyncio.timeout(30):
        while withdrawn() is not None:
            gc.collect()
            await asyncio.sleep(0.01)
