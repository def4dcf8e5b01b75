"""The one thread that uses a storage file.

Everything that waits is done in one transaction (group commit), so that many writers share the price of a commit. An
answer is given after the commit, never before. When a transaction fails, each of its operations is tried alone: one
that cannot be done does not take the others with it.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, final

import attrs

from airssys_wasm.core.storage import StorageError, StorageUnavailable
from airssys_wasm.runtime.storage_trouble import Trouble, unavailable

Work = Callable[[sqlite3.Connection], Any]

MOST_AT_ONCE: Final = 256
"""Operations in one transaction: the price of a commit no longer counts, and the answers are not long in coming."""


@final
@attrs.define(eq=False)
class Job:
    """One operation, and who waits for it."""

    work: Work
    writes: bool
    waiting: asyncio.Future[Any]
    answer: Any = None
    error: Exception | None = None

    def attempt(self, database: sqlite3.Connection) -> None:
        """Do it; a refusal of ours is an answer too, one of SQLite's is raised."""
        self.answer = self.error = None
        try:
            self.answer = self.work(database)
        except StorageError as exc:
            self.error = exc

    def tell(self) -> None:
        """Give the answer, on the loop; nobody waits for that of a cancelled operation."""
        if self.waiting.done():
            return
        if self.error is None:
            self.waiting.set_result(self.answer)
        else:
            self.waiting.set_exception(self.error)


class _NotBegun(Exception):
    """There was no transaction to begin with; the cause holds for everyone who wanted to write."""


@final
class StorageThread:
    """Opens a file and runs operations on it, in order; made on the loop that gets the answers.

    A daemon, so that a system that was never closed does not keep the process: what was answered is committed.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._trouble = Trouble(where)
        self._thread: threading.Thread | None = None
        self._closed = False

    async def start(self, opening: Callable[[], sqlite3.Connection]) -> None:
        """Open the file, in the thread; raises StorageUnavailable.

        Cancellation: the thread closes the file when it is open, and ends.
        """
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(opening, opened), name="airssys-storage", daemon=True)
        self._thread.start()
        try:
            await opened
        except BaseException:
            self.close()
            raise

    async def do(self, work: Work, *, writes: bool) -> Any:
        """Run an operation in its turn; raises what it raises, and StorageUnavailable for SQLite's refusals.

        Cancellation: withdraws it, unless it has begun; then it happens, and nobody hears of it.
        """
        if self._closed:
            raise StorageUnavailable(self._where, "closed")
        job = Job(work, writes, self._loop.create_future())
        self._jobs.put(job)
        return await job.waiting

    def close(self) -> threading.Thread | None:
        """End the thread after what waits already; returns it, for the caller to wait for."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        return self._thread

    def _run(self, opening: Callable[[], sqlite3.Connection], opened: asyncio.Future[None]) -> None:
        start = Job(lambda _: None, writes=False, waiting=opened)
        try:
            database = opening()
        except Exception as exc:  # noqa: BLE001 - whoever opens the file gets it
            start.error = unavailable(self._where, exc)
            self._tell([start])
            return
        self._tell([start])
        last = False
        while not last:
            jobs, last = self._take()
            self._do_all(database, jobs)
            self._tell(jobs)
        with suppress(sqlite3.Error):
            database.close()

    def _take(self) -> tuple[list[Job], bool]:
        """Wait for something to do, and take what else there is; True when nothing comes after it."""
        jobs: list[Job] = []
        item = self._jobs.get()
        with suppress(queue.Empty):
            while item is not None:
                if not item.waiting.cancelled():
                    jobs.append(item)
                if len(jobs) >= MOST_AT_ONCE:
                    break
                item = self._jobs.get_nowait()
        return jobs, item is None

    def _do_all(self, database: sqlite3.Connection, jobs: list[Job]) -> None:
        try:
            self._do_together(database, jobs)
        except _NotBegun as exc:
            for job in jobs:
                if job.writes:
                    self._fail(job, exc)
                else:
                    self._do_alone(database, job)
        except Exception as exc:  # noqa: BLE001 - the thread serves everybody, whatever one operation raises
            if len(jobs) == 1:
                self._fail(jobs[0], exc)
                return
            for job in jobs:
                self._do_alone(database, job)

    def _do_alone(self, database: sqlite3.Connection, job: Job) -> None:
        try:
            self._do_together(database, [job])
        except Exception as exc:  # noqa: BLE001 - as above
            self._fail(job, exc)

    def _do_together(self, database: sqlite3.Connection, jobs: list[Job]) -> None:
        writes = any(job.writes for job in jobs)
        if writes:
            _begin(database)
        try:
            for job in jobs:
                job.attempt(database)
            if writes:
                database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                database.execute("ROLLBACK")
            raise
        if jobs:
            self._trouble.over(writes=writes)

    def _fail(self, job: Job, error: Exception) -> None:
        if isinstance(error, _NotBegun) and isinstance(error.__cause__, Exception):
            error = error.__cause__
        failure = unavailable(self._where, error)
        job.error = failure
        self._trouble.met(failure.reason, error, writes=job.writes)

    def _tell(self, jobs: list[Job]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_tell_all, jobs)


def _begin(database: sqlite3.Connection) -> None:
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as exc:
        raise _NotBegun from exc


def _tell_all(jobs: Iterable[Job]) -> None:
    for job in jobs:
        job.tell()
