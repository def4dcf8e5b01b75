"""When the system has no thread left: what needs one says so, and starts it as soon as it can."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from wasmtime import Engine

from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.blocking import BlockingThreads
from airssys_wasm.runtime.clock import LoopClock
from airssys_wasm.runtime.fibers import Fiber
from airssys_wasm.runtime.job import Job
from airssys_wasm.runtime.lanes import PollThreads
from airssys_wasm.runtime.reaper import Reaper
from airssys_wasm.runtime.ticker import EpochTicker
from tests.runtime.guests import GUEST


class Short:
    """A call that ends with its first step."""

    slice_ticks = 1

    def __init__(self, *, stopping: bool = False) -> None:
        self.stopping, self.waiting, self.steps = stopping, False, 0

    def step(self) -> bool:
        """One slice."""
        self.steps += 1
        return True

    def abandon(self) -> None:
        """Never here."""
        raise AssertionError

    def retire(self) -> None:
        """Never here."""
        raise AssertionError


@contextmanager
def no_thread() -> Iterator[None]:
    """As in a container with as many threads as it may have."""

    def refuse(_thread: threading.Thread) -> None:
        text = "can't start new thread"
        raise RuntimeError(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield


def end(threads: list[threading.Thread]) -> None:
    """Wait for threads that were asked to end."""
    for thread in threads:
        thread.join()


def test_the_ticker_starts_with_the_next_call() -> None:
    """A guest in an endless loop would hold the event loop for ever without it, so that the call has to fail."""
    ticker = EpochTicker(Engine())
    fiber = Fiber(0, HostState(GUEST), ticker, LoopClock(), 1)
    with no_thread(), pytest.raises(RuntimeError):
        fiber.poll()
    left = ticker._polling.copy()
    ticker.enter(2)
    ticker.leave(2)
    threads = ticker.close()
    end(threads)
    assert (set(), 1) == (left, len(threads))


async def test_a_worker_is_started_with_the_next_call() -> None:
    """The call that found none fails at once, rather than at its deadline."""
    threads = PollThreads(1)
    with no_thread(), pytest.raises(RuntimeError):
        await threads.run(Short())
    ended = await asyncio.wait_for(threads.run(Short()), 5)
    end(threads.close())
    assert ended


async def test_the_workers_there_are_do_the_work() -> None:
    """A second one would be welcome, but is not needed."""
    threads = PollThreads(2)
    await threads.run(Short())
    with no_thread():
        ended = await asyncio.wait_for(threads.run(Short()), 5)
    end(threads.close())
    assert ended


def test_a_store_without_a_reaper_is_deleted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is lost."""
    deleted, reaper = list[int](), Reaper()
    monkeypatch.setattr(capi, "store_delete", deleted.append)
    with no_thread():
        reaper.delete_store(7)
    at_once = deleted.copy()
    reaper.delete_store(8)
    threads = reaper.close()
    end(threads)
    assert ([7], [7, 8], 1) == (at_once, deleted, len(threads))


async def test_a_call_cancelled_before_its_own_thread_runs_never_begins() -> None:
    """A busy system starts threads late; the guest would run with nobody waiting, or block and be abandoned."""
    call = Short(stopping=True)
    job = Job(call, asyncio.get_running_loop())
    BlockingThreads()._work(job)
    assert (False, 0) == (await job.done, call.steps)
