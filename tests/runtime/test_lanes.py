"""Turns on the loop and on the worker threads, with calls that do as the test says."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from airssys_wasm.runtime.job import Job
from airssys_wasm.runtime.lanes import FREE_TURNS, THREAD_SLICE_TICKS, Lines, LoopBudget, PollThreads, RunQueue
from airssys_wasm.runtime.ticker import TICK


class Steps:
    """A call that ends, or waits for the host, after some steps; notes each."""

    slice_ticks = 1

    def __init__(self, name: str, steps: int, log: list[str], *, error: Exception | None = None) -> None:
        self.stopping = False
        self.waiting = False
        self.name, self.left, self.log, self.error = name, steps, log, error
        self.threads = set[str]()

    def step(self) -> bool:
        """One slice."""
        self.log.append(self.name)
        self.threads.add(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        self.left -= 1
        return self.left <= 0

    def abandon(self) -> None:
        """Never here."""
        raise AssertionError

    def retire(self) -> None:
        """Never here."""
        raise AssertionError


class Endless(Steps):
    """A call whose step lasts until it is let go, and which never ends."""

    def __init__(self) -> None:
        super().__init__("endless", 1, [])
        self.entered, self.let_go = threading.Event(), threading.Event()

    def step(self) -> bool:
        """One slice."""
        self.entered.set()
        self.let_go.wait()
        return False


@pytest.fixture
async def threads() -> AsyncIterator[PollThreads]:
    """One worker, so that calls have to share it."""
    threads = PollThreads(1)
    yield threads
    for thread in threads.close():
        thread.join()


def run_queue() -> RunQueue:
    """A queue with a budget of its own."""
    loop = asyncio.get_running_loop()
    return RunQueue(loop, LoopBudget(loop))


async def take_turns(queue: RunQueue, name: str, count: int, log: list[str]) -> None:
    """A call that takes its first turn as a fresh one."""
    for number in range(count):
        await queue.turn(fresh=not number)
        log.append(name)


def fair(log: list[str]) -> bool:
    """Whether at no time one was ahead of another by more slices than there are calls."""
    names = set(log)
    counts = [Counter(log[:end]) for end in range(len(log) + 1)]
    return all(
        max(count[name] for name in names) - min(count[name] for name in names) <= len(names) for count in counts
    )


async def test_calls_take_turns() -> None:
    """Nobody is ahead by more than the turns that newcomers take before it."""
    queue, log = run_queue(), list[str]()
    await asyncio.gather(*[take_turns(queue, name, 10, log) for name in "abc"])
    assert fair(log)


async def test_a_fresh_call_waits_for_two_slices_at_most() -> None:
    """However many long ones there are."""
    queue, log = run_queue(), list[str]()
    hogs = [asyncio.create_task(take_turns(queue, "hog", 6, log)) for _ in range(20)]
    while len(log) < 40:
        await queue.turn(fresh=False)
    before = len(log)
    await take_turns(queue, "short", 1, log)
    assert log.index("short") - before <= 2
    await asyncio.gather(*hogs)


async def test_first_slices_wait_for_the_budget_and_not_for_one_another() -> None:
    """Hundreds of short calls are through after a few turns of the loop, not one in every few turns."""
    queue, log = run_queue(), list[str]()
    calls = [asyncio.create_task(take_turns(queue, str(number), 1, log)) for number in range(200)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert [str(number) for number in range(200)] == log
    await asyncio.gather(*calls)


async def test_first_slices_that_find_the_budget_spent_keep_their_order() -> None:
    """Each turn of the loop has one tick for them; what is left over comes first in the next."""
    loop = asyncio.get_running_loop()
    budget, log = LoopBudget(loop), list[int]()
    queue = RunQueue(loop, budget)

    async def call(number: int) -> None:
        await queue.turn(fresh=True)
        budget.charge(TICK / 2)
        log.append(number)

    calls = [asyncio.create_task(call(number)) for number in range(20)]
    turns = 0
    while len(log) < len(calls):
        await asyncio.sleep(0)
        turns += 1
    assert list(range(20)) == log
    assert len(calls) / 2 <= turns <= 2 * len(calls)


async def test_between_two_slices_the_loop_has_turns_of_its_own() -> None:
    """A timer, an actor and an asker need two or three each."""
    queue, log = run_queue(), list[str]()
    hog = asyncio.create_task(take_turns(queue, "slice", 5, log))
    while not hog.done():
        log.append("turn")
        await asyncio.sleep(0)
    gaps = "".join(entry[0] for entry in log).strip("t").split("s")[1:-1]
    assert all(len(gap) >= FREE_TURNS for gap in gaps)


async def test_a_cancelled_call_leaves_its_turn_to_the_next() -> None:
    """Nobody waits for a turn that was given to one who has gone."""
    queue, log = run_queue(), list[str]()
    tasks = [asyncio.create_task(take_turns(queue, name, 1, log)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert ["c"] == log


async def test_an_idle_queue_takes_up_work_again() -> None:
    """After it had run dry."""
    queue, log = run_queue(), list[str]()
    for name in "ab":
        await take_turns(queue, name, 1, log)
        await asyncio.sleep(0.001)
    assert ["a", "b"] == log


async def test_the_budget_of_a_turn_is_one_tick_for_all_together() -> None:
    """Spent once a tick is full, there again in the turn after."""
    budget = LoopBudget(asyncio.get_running_loop())
    for _ in range(3):
        assert budget.left
        budget.charge(TICK * 0.34)
    assert not budget.left
    await asyncio.sleep(0)
    assert budget.left


async def test_a_call_ends_on_a_thread(threads: PollThreads) -> None:
    """True, and no step on the loop's thread."""
    call = Steps("a", 3, [])
    assert await threads.run(call)
    assert (["a"] * 3, {"airssys-poll-0"}) == (call.log, call.threads)


async def test_a_call_that_waits_for_the_host_leaves_its_thread(threads: PollThreads) -> None:
    """False after the step in which it began to wait."""
    call = Steps("a", 3, [])
    call.waiting = True
    assert not await threads.run(call)
    assert ["a"] == call.log


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


async def test_calls_share_a_thread_slice_by_slice(threads: PollThreads) -> None:
    """Each waits for one slice of every other."""
    log = list[str]()
    blocker = Endless()
    blocking = asyncio.create_task(threads.run(blocker))
    await asyncio.to_thread(blocker.entered.wait)
    others = [asyncio.create_task(threads.run(Steps(name, 9, log))) for name in "abc"]
    await asyncio.sleep(0)
    blocker.stopping = True
    blocker.let_go.set()
    assert [True] * 3 == await asyncio.gather(*others)
    assert not await blocking
    assert fair(log)


async def test_a_step_that_raises_is_the_callers_and_not_the_threads(threads: PollThreads) -> None:
    """The next call finds the thread as it was."""
    with pytest.raises(ZeroDivisionError):
        await threads.run(Steps("a", 1, [], error=ZeroDivisionError()))
    assert await threads.run(Steps("b", 1, []))


async def test_a_cancelled_call_is_waited_for_until_it_has_left_its_thread(threads: PollThreads) -> None:
    """Only then may it be deleted, however often its task is cancelled."""
    call = Endless()
    task = asyncio.create_task(threads.run(call))
    await asyncio.to_thread(call.entered.wait)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.001)
        assert not task.done()
    assert call.stopping
    call.let_go.set()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_call_cancelled_in_the_queue_never_runs(threads: PollThreads) -> None:
    """Its turn comes and goes without a step."""
    blocker, waiting = Endless(), Steps("a", 1, [])
    blocking = asyncio.create_task(threads.run(blocker))
    await asyncio.to_thread(blocker.entered.wait)
    task = asyncio.create_task(threads.run(waiting))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    blocker.stopping = True
    blocker.let_go.set()
    await asyncio.wait([task, blocking])
    assert (True, []) == (task.cancelled(), waiting.log)


async def test_there_are_no_more_threads_than_asked_for() -> None:
    """Started as calls come."""
    threads = PollThreads(2)
    calls = [Steps(str(number), 3, []) for number in range(20)]
    assert [True] * 20 == await asyncio.gather(*[threads.run(call) for call in calls])
    assert {"airssys-poll-0", "airssys-poll-1"} >= set[str]().union(*[call.threads for call in calls])
    for thread in threads.close():
        thread.join()
