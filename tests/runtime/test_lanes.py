"""Turns on the loop and on the worker threads, with calls that do as the test says."""

import asyncio
from collections import Counter

import pytest

from airssys_wasm.runtime.lanes import FREE_TURNS, LoopBudget, PollThreads, RunQueue
from airssys_wasm.runtime.ticker import TICK
from tests.runtime.steps import Endless, Steps


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
