"""Locked, full, read-only and corrupt files; slow ones; operations that are cancelled."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airssys_wasm.core.storage import StorageUnavailable, StorageUsage
from airssys_wasm.runtime.storage_sqlite import SqliteStorage
from airssys_wasm.runtime.storage_thread import MOST_AT_ONCE
from tests.runtime.storages import KEEPER, OTHER, put

BIG = b"x" * 200_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the storage is."""
    return tmp_path / "storage.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SqliteStorage]:
    """A file that waits for others' locks only shortly."""
    storage = await SqliteStorage.open(path, lock_timeout=0.25)
    yield storage
    await storage.aclose()


async def run_sql(storage: SqliteStorage, statement: str) -> Any:
    """Have the storage's own connection do something."""
    return await storage._thread.do(lambda db: db.execute(statement).fetchall(), writes=False)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the operator was told."""
    return [record.getMessage() for record in caplog.records if record.name == "airssys_wasm.runtime"]


async def refusal(write: Any) -> str:
    """Why something was not done."""
    with pytest.raises(StorageUnavailable) as caught:
        await write
    return caught.value.reason


class Hold:
    """Keeps the storage's thread busy from `begin` to `release`."""

    def __init__(self, storage: SqliteStorage) -> None:
        self._begun, self._gate = threading.Event(), threading.Event()
        self.done = asyncio.ensure_future(storage._thread.do(self._work, writes=True))

    def _work(self, _database: sqlite3.Connection) -> None:
        self._begun.set()
        self._gate.wait()

    async def begin(self) -> None:
        """Wait until the thread is at it."""
        await asyncio.to_thread(self._begun.wait)

    def release(self) -> None:
        """Let the thread go on."""
        self._gate.set()


async def together(storage: SqliteStorage, *operations: Awaitable[Any]) -> list[Any]:
    """Have operations done in one transaction; what each answers or raises."""
    hold = Hold(storage)
    await hold.begin()
    outcomes = asyncio.gather(*operations, return_exceptions=True)
    await asyncio.sleep(0)
    hold.release()
    await hold.done
    return list(await outcomes)


async def test_a_locked_file_fails_writes_for_a_while_and_neither_reads_nor_the_loop(
    storage: SqliteStorage, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop goes on while a write waits; the operator reads when it began and that it is over."""
    await put(storage, "k", b"before")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        write = asyncio.ensure_future(put(storage, "k", b"lost"))
        beats = 0
        while not write.done():
            await asyncio.sleep(0.005)
            beats += 1
        assert beats >= 10
        assert "locked by another process" == await refusal(write)
        assert "locked by another process" == await refusal(storage.erase(KEEPER))
        assert b"before" == await storage.get(KEEPER, "k")
        other.execute("COMMIT")
    await put(storage, "k", b"after")
    assert b"after" == await storage.get(KEEPER, "k")
    cannot = f"storage {path} cannot be written: locked by another process (database is locked)"
    assert [cannot, f"storage {path} can be written again, after 2 failures"] == lines(caplog)


async def test_a_lock_that_goes_in_time_is_only_waited_for(storage: SqliteStorage, path: Path) -> None:
    """As between two processes that both write."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        write = asyncio.ensure_future(put(storage, "k"))
        await asyncio.sleep(0.02)
        other.execute("COMMIT")
        await write


async def test_those_who_wait_for_the_same_lock_fail_together(storage: SqliteStorage, path: Path) -> None:
    """A hundred writers wait once, not one after the other; readers among them are answered."""
    await put(storage, "k")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(6):
            mixed = [put(storage, str(n)) if n % 2 else storage.get(KEEPER, "k") for n in range(100)]
            outcomes = await asyncio.gather(*mixed, return_exceptions=True)
    assert [b"v"] * 50 == outcomes[::2]
    assert {StorageUnavailable} == {type(outcome) for outcome in outcomes[1::2]}


async def test_a_full_disk_fails_what_does_not_fit_and_nothing_else(
    storage: SqliteStorage, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Writers who share a transaction do not share the failure; when there is room again, it is used."""
    await put(storage, "old", b"old")
    pages = (await run_sql(storage, "PRAGMA page_count"))[0][0]
    await run_sql(storage, f"PRAGMA max_page_count = {pages + 4}")
    outcomes = await together(
        storage, put(storage, "small", b"1"), put(storage, "old", BIG), put(storage, "small", b"2", OTHER)
    )
    assert [None, StorageUnavailable, None] == [outcome and type(outcome) for outcome in outcomes]
    assert "full" == await refusal(put(storage, "big", BIG))
    assert b"old" == await storage.get(KEEPER, "old")
    assert ["old", "small"] == await storage.list_keys(KEEPER)
    assert StorageUsage(12, 2) == await storage.usage(KEEPER)
    await run_sql(storage, "PRAGMA max_page_count = 100000")
    await put(storage, "big", BIG)
    assert BIG == await storage.get(KEEPER, "big")
    assert f"storage {path} cannot be written: full (database or disk is full)" == lines(caplog)[0]


async def test_a_read_only_file_can_still_be_read(
    storage: SqliteStorage, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And written again when it is no longer read-only; told once in a while, however often it is tried."""
    await put(storage, "k")
    for _ in range(2):
        await run_sql(storage, "PRAGMA query_only = ON")
        for _ in range(5):
            assert "read-only" == await refusal(put(storage, "k", b"new"))
            assert "read-only" == await refusal(storage.delete(KEEPER, "k"))
            assert b"v" == await storage.get(KEEPER, "k")
        await run_sql(storage, "PRAGMA query_only = OFF")
        await put(storage, "k")
    assert [
        f"storage {path} cannot be written: read-only (attempt to write a readonly database)",
        f"storage {path} can be written again, after 10 failures",
    ] == lines(caplog)


async def test_a_corrupt_file_fails_those_whose_data_are_hit(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The rest of the file goes on to serve the rest of the components."""
    storage = await SqliteStorage.open(path)
    for n in range(200):
        await put(storage, f"{n:03}", BIG[:3000])
    await storage.aclose()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 40 * 4096] = b"\xa5" * (40 * 4096)
    path.write_bytes(content)

    storage = await SqliteStorage.open(path)
    outcomes = await asyncio.gather(*(storage.get(KEEPER, f"{n:03}") for n in range(200)), return_exceptions=True)
    assert {"corrupt"} == {outcome.reason for outcome in outcomes if isinstance(outcome, StorageUnavailable)}
    assert 10 < outcomes.count(BIG[:3000]) < 200
    await put(storage, "k", b"v", OTHER)
    assert b"v" == await storage.get(OTHER, "k")
    await storage.aclose()
    first = f"storage {path} cannot be read: corrupt (database disk image is malformed)"
    assert first == lines(caplog)[0]
    assert 1 == lines(caplog).count(first)


async def test_what_is_too_large_for_sqlite_is_refused(storage: SqliteStorage) -> None:
    """Whatever the quota says."""
    await storage._thread.do(lambda db: db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000), writes=False)
    assert "value too large" == await refusal(put(storage, "k", BIG))
    assert StorageUsage() == await storage.usage(KEEPER)


async def test_an_operation_that_fails_in_an_unknown_way_does_not_end_the_thread(storage: SqliteStorage) -> None:
    """Nor does it take others with it, or leave a transaction open."""

    def fail(_database: sqlite3.Connection) -> None:
        raise MemoryError

    outcomes = await together(storage, put(storage, "a"), storage._thread.do(fail, writes=True), put(storage, "b"))
    assert [type(None), StorageUnavailable, type(None)] == [type(outcome) for outcome in outcomes]
    assert ["a", "b"] == await storage.list_keys(KEEPER)


async def test_a_write_cancelled_in_the_queue_does_not_happen(storage: SqliteStorage) -> None:
    """It is withdrawn; those around it are not touched."""
    hold = Hold(storage)
    await hold.begin()
    first, cancelled, last = (asyncio.ensure_future(put(storage, key)) for key in "abc")
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    hold.release()
    await asyncio.gather(hold.done, first, last)
    assert ["a", "c"] == await storage.list_keys(KEEPER)
    assert cancelled.cancelled()


async def test_a_write_cancelled_after_it_began_happens_as_a_whole(storage: SqliteStorage) -> None:
    """The value and the count of it: its transaction is under way, and others' writes are in it."""
    before = Hold(storage)
    await before.begin()
    during = Hold(storage)
    write = asyncio.ensure_future(put(storage, "k", b"whole"))
    await asyncio.sleep(0)
    before.release()
    await during.begin()
    write.cancel()
    during.release()
    await asyncio.gather(before.done, during.done)
    assert b"whole" == await storage.get(KEEPER, "k")
    assert StorageUsage(6, 1) == await storage.usage(KEEPER)
    assert write.cancelled()


async def test_more_than_one_transaction_s_worth_is_done_in_order(storage: SqliteStorage) -> None:
    """Nothing is left in the queue."""
    await asyncio.gather(*(put(storage, "k", str(n).encode()) for n in range(MOST_AT_ONCE * 2 + 3)))
    assert str(MOST_AT_ONCE * 2 + 2).encode() == await storage.get(KEEPER, "k")


async def test_the_loop_may_end_before_the_storage_is_closed(path: Path) -> None:
    """What was answered is in the file, and the thread ends without a word."""
    failures = list[object]()

    async def leave_open() -> tuple[threading.Thread | None, Hold]:
        storage = await SqliteStorage.open(path)
        await put(storage, "k")
        hold = Hold(storage)
        await hold.begin()
        return storage._thread.close(), hold

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", failures.append)
        thread, hold = await asyncio.to_thread(asyncio.run, leave_open())
        assert thread is not None
        hold.release()
        await asyncio.to_thread(thread.join)
    assert [] == failures
    storage = await SqliteStorage.open(path)
    assert b"v" == await storage.get(KEEPER, "k")
    await storage.aclose()
