"""The thread that works on the loop's core while the loop does not, with loops that are as busy as a test says."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.runtime.lanes import THREAD_SLICE_TICKS, PollThreads
from airssys_wasm.runtime.share import MOST_WANTED, PERIOD, LoopShare
from tests.runtime.steps import Steps

ROUNDING = 1e-9


class Loop:
    """A loop's thread that takes as much of a core as it is told to."""

    def __init__(self, takes: float = 0.0) -> None:
        self.takes, self.wall, self.own, self.is_over = takes, 0.0, 0.0, False
        self.share = LoopShare(self._time, lambda: self.wall)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.own += seconds * self.takes

    def _time(self) -> float:
        if self.is_over:
            raise OSError
        return self.own


class Whim(LoopShare):
    """A share that is what a test says."""

    def __init__(self, *, room: bool) -> None:
        super().__init__(float)
        self.room, self.asked = room, threading.Event()

    def leaves_room(self) -> bool:
        """As the test says."""
        self.asked.set()
        return self.room


@pytest.fixture
def whim(monkeypatch: pytest.MonkeyPatch) -> Whim:
    """What any spare thread is told."""
    whim = Whim(room=True)
    monkeypatch.setattr(LoopShare, "of", lambda _thread: contextlib.nullcontext(whim))
    return whim


@pytest.fixture
def threads(whim: Whim) -> Iterator[PollThreads]:
    """A worker and a spare one, which has room."""
    assert whim.room
    threads = PollThreads(1, spare=True)
    yield threads
    for thread in threads.close():
        thread.join(60)
        assert not thread.is_alive()


@given(st.floats(0, 1), st.floats(PERIOD, 60))
def test_a_loop_that_takes_little_leaves_room(takes: float, seconds: float) -> None:
    """As far as that can be told of numbers that are not exact."""
    loop = Loop(takes)
    loop.run(seconds)
    assert abs(takes - MOST_WANTED) < ROUNDING or (takes < MOST_WANTED) == loop.share.leaves_room()


def test_a_share_is_read_anew_after_a_while() -> None:
    """What is asked within that time is answered as before; nothing is known at first."""
    loop = Loop(0.0)
    answers = [loop.share.leaves_room()]
    for takes in (0.0, 1.0, 1.0, 0.0):
        loop.takes = takes
        for _ in range(2):
            loop.run(PERIOD * 0.5 + ROUNDING)
            answers.append(loop.share.leaves_room())
    assert [False, False, True, True, False, False, False, False, True] == answers


def test_a_loop_that_has_ended_leaves_nothing() -> None:
    """Whoever worked beside it is to end."""
    loop = Loop()
    loop.run(PERIOD)
    loop.is_over = True
    assert not loop.share.leaves_room()


def test_a_thread_that_waits_leaves_room_and_one_that_computes_does_not() -> None:
    """By the system's own count, read by another thread; on a busy machine it may take some time to see either."""
    ids, stop, go = list[int](), threading.Event(), threading.Event()

    def work() -> None:
        ids.append(threading.get_native_id())
        go.wait(60)
        while not stop.is_set():
            pass

    thread = threading.Thread(target=work)
    thread.start()
    while not ids:
        stop.wait(PERIOD)
    with LoopShare.of(ids[0]) as share:
        assert share is not None
        while not share.leaves_room():
            stop.wait(PERIOD * 2)
        go.set()
        while share.leaves_room():
            stop.wait(PERIOD * 2)
        stop.set()
        thread.join(60)
        stop.wait(PERIOD * 2)
        assert not share.leaves_room()


def test_where_the_system_tells_nothing_nothing_is_left() -> None:
    """As for a thread that is not there; no file stays open."""
    before = {file.name for file in Path("/proc/self/fd").iterdir()}
    with LoopShare.of(2**30) as share:
        assert share is None
    with LoopShare.of(threading.get_native_id()) as share:
        assert share is not None
    assert before == {file.name for file in Path("/proc/self/fd").iterdir()}


async def test_a_spare_thread_that_is_told_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others do the work."""
    monkeypatch.setattr(LoopShare, "of", lambda _thread: contextlib.nullcontext(None))
    threads = PollThreads(1, spare=True)
    for name in "abc":
        assert await threads.run(Steps(name, 3 * THREAD_SLICE_TICKS, []))
    for thread in threads.close():
        thread.join(60)
        assert not thread.is_alive()


class Until(Steps):
    """A call of long slices that ends when something has happened; nobody has to hurry."""

    slice_ticks = THREAD_SLICE_TICKS

    def __init__(self, name: str, happened: Callable[[], bool]) -> None:
        super().__init__(name, 0, [])
        self.happened = happened

    def step(self) -> bool:
        """One slice."""
        self.threads.add(threading.current_thread().name)
        return self.happened()


async def test_two_long_calls_are_on_two_threads(threads: PollThreads) -> None:
    """The worker rings when the second one waits."""
    calls = list[Until]()
    calls += [Until(name, lambda: len(calls[0].threads | calls[1].threads) == 2) for name in "ab"]
    assert [True, True] == await asyncio.wait_for(asyncio.gather(*map(threads.run, calls)), 60)


async def test_a_busy_loop_has_its_core_for_itself(threads: PollThreads, whim: Whim) -> None:
    """The spare thread is asked and does nothing."""
    whim.room = False
    calls = [Until(name, whim.asked.is_set) for name in "ab"]
    assert [True, True] == await asyncio.wait_for(asyncio.gather(*map(threads.run, calls)), 60)
    assert {"airssys-poll-0"} == calls[0].threads | calls[1].threads


async def test_a_call_comes_back_from_the_spare_thread_when_the_loop_needs_its_core(
    threads: PollThreads, whim: Whim
) -> None:
    """It is there that it notices, at the end of a slice; it goes on where the others are."""
    calls = list[Until]()

    def is_back() -> bool:
        here = threading.current_thread().name
        if here == "airssys-poll-1":
            whim.room = False
        return not whim.room and here == "airssys-poll-0"

    calls += [Until(name, is_back) for name in "ab"]
    assert [True, True] == await asyncio.wait_for(asyncio.gather(*map(threads.run, calls)), 60)
    assert {"airssys-poll-0", "airssys-poll-1"} == calls[0].threads | calls[1].threads


async def test_the_spare_thread_leaves_what_is_withdrawn(threads: PollThreads) -> None:
    """Cancelled while it waits, and while it runs there."""
    hogs, both = list[Until](), threading.Event()

    def never() -> bool:
        if len(set[str]().union(*[hog.threads for hog in hogs])) > 1:
            both.set()
        return False

    hogs += [Until(name, never) for name in "abcd"]
    tasks = [asyncio.ensure_future(threads.run(hog)) for hog in hogs]
    assert await asyncio.to_thread(both.wait, 60)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert await asyncio.wait_for(threads.run(Steps("next", 3, [])), 60)
