"""Threads for guests whose imports can block, as wasmtime's own WASI does: one a call, capped, abandoned when stuck."""

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Final, final

import anyio

from airssys_wasm.core.errors import TooManyThreads
from airssys_wasm.runtime.job import Job, Pollable, settled

MAX_BLOCKING_THREADS: Final = 32
"""Calls of blocking guests under way at once; further ones wait for a thread, within their deadline."""

MAX_ABANDONED_THREADS: Final = 64
"""Stuck threads after which no more blocking calls are taken: each holds a stack and a Store."""

LEAVE_GRACE: Final = 0.05
"""Seconds that a stopped call has to leave its thread: a guest that only computes does so within a slice."""

_logger = logging.getLogger("airssys_wasm.runtime")


@final
class BlockingThreads:
    """Runs each call in a daemon thread of its own; one that does not leave when told is abandoned, never joined."""

    def __init__(self, size: int = MAX_BLOCKING_THREADS) -> None:
        self._room = anyio.CapacityLimiter(size)
        self._abandoned = 0
        self._lock = threading.Lock()
        self._count = 0

    @property
    def abandoned(self) -> int:
        """Threads that are stuck in a blocking import at the moment."""
        return self._abandoned

    async def run(self, call: Pollable, name: str) -> bool:
        """Poll in a thread until the call ends (True) or waits for a host function (False).

        Raises:
            TooManyThreads: Too many earlier calls are still stuck.

        Cancellation: waits `LEAVE_GRACE` for the call to leave; after that the thread is abandoned with the call and
        its Store, which it frees itself should it ever come back.
        """
        if self.abandoned >= MAX_ABANDONED_THREADS:
            raise TooManyThreads(self.abandoned)
        async with self._room:
            job = Job(call, asyncio.get_running_loop())
            self._count += 1
            thread = threading.Thread(target=self._work, args=(job,), name=f"airssys-wasi-{self._count}", daemon=True)
            thread.start()
            try:
                return await asyncio.shield(job.done)
            except asyncio.CancelledError:
                call.stopping = True
                await self._leave_or_abandon(job, name, thread.name)
                raise

    async def _leave_or_abandon(self, job: Job, name: str, thread: str) -> None:
        # A second cancellation ends the wait, not the duty to leave the call to its thread.
        with suppress(asyncio.CancelledError), anyio.CancelScope(shield=True), anyio.move_on_after(LEAVE_GRACE):
            await asyncio.wait([job.done])
        if job.done.done() or not job.abandon():
            await settled(job.done)
            return
        with self._lock:
            self._abandoned += 1
        _logger.warning(
            "%s blocks in WASI beyond its end; thread %s is abandoned (%d so far)", name, thread, self.abandoned
        )

    def _work(self, job: Job) -> None:
        call = job.call
        error, ended = None, False
        try:
            while job.wanted and not (ended or call.waiting):
                ended = call.step()
        except BaseException as exc:  # noqa: BLE001 - it belongs to the asker, not to this thread
            error = exc
        if job.end():
            call.retire()
            with self._lock:
                self._abandoned -= 1
        elif error is not None:
            job.fail(error)
        else:
            job.report(ended=ended)
