"""What a run has going on beside the reading, asking and writing: threads, and a look at who has ended."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

import anyio
import anyio.to_thread

from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.system.pipeline_io import StopPipe
from airssys_wasm.system.pipeline_ledger import Ledger

Result = TypeVar("Result")


@contextlib.asynccontextmanager
async def ending_with(handles: Iterable[ActorHandle], ledger: Ledger) -> AsyncIterator[None]:
    """Fail the run as soon as one of these components has ended for good, also while nobody asks it anything."""

    async def watch(handle: ActorHandle) -> None:
        ledger.end(handle.id, await handle.wait_stopped())

    async with anyio.create_task_group() as beside:
        for handle in handles:
            beside.start_soon(watch, handle)
        yield
        beside.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def requested_when_cancelled(pipe: StopPipe) -> AsyncIterator[None]:
    """Wake the threads that wait beside this pipe when the block is cancelled, or has ended.

    A task that waits for a thread is not cancelled before the thread is done.
    """

    async def request_at_the_end() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            pipe.request()

    async with anyio.create_task_group() as beside:
        beside.start_soon(request_at_the_end)
        yield
        beside.cancel_scope.cancel()


async def in_thread(threads: anyio.CapacityLimiter, work: Callable[[], Result]) -> Result:
    """Do something that blocks. Cancellation: after it is done; see `requested_when_cancelled`."""
    return await anyio.to_thread.run_sync(work, limiter=threads)
