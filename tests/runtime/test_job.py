"""Who may touch a call that is in a thread's hands."""

import asyncio

from airssys_wasm.runtime.job import Job
from airssys_wasm.runtime.lanes import PollThreads


class Step:
    """A call that runs until it is told to stop, and counts its slices."""

    slice_ticks = 1
    stopping = False
    waiting = False

    def __init__(self) -> None:
        self.steps = 0
        self.started = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def step(self) -> bool:
        """One slice."""
        self.steps += 1
        self._loop.call_soon_threadsafe(self.started.set)
        return False

    def abandon(self) -> None:
        """Nothing to mark."""

    def retire(self) -> None:
        """Nothing to free."""


async def test_a_call_that_waits_for_a_thread_is_withdrawn_at_once_and_never_polled() -> None:
    """With every worker busy, a cancelled call in line does not wait for its turn to leave."""
    threads = PollThreads(size=1)
    hog, queued = Step(), Step()
    hog_task = asyncio.create_task(threads.run(hog))
    await hog.started.wait()
    job = Job(queued, asyncio.get_running_loop())
    assert (True, False) == (job.withdraw(), job.take())
    task = asyncio.create_task(threads.run(queued))
    await asyncio.sleep(0)
    task.cancel()
    hog_task.cancel()
    await asyncio.gather(task, hog_task, return_exceptions=True)
    assert hog.steps >= 1
    for thread in threads.close():
        thread.join()


async def test_a_call_that_a_thread_is_at_is_not_withdrawn() -> None:
    """It has to be waited for: the thread uses its memory."""
    job = Job(Step(), asyncio.get_running_loop())
    assert job.take()
    assert not job.withdraw()
    job.put_back()
    assert job.withdraw()
    assert not job.take()
