"""What only a file can do: outlive a process, be shared, be made by someone else."""

import asyncio
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import QuotaExceeded, StorageClaimed, StorageUnavailable, StorageUsage
from airssys_wasm.runtime.storage import open_storage
from airssys_wasm.runtime.storage_tables import APPLICATION_ID, SCHEMA_VERSION
from airssys_wasm.testing.leaks import Snapshot, left_behind
from tests.runtime.storages import KEEPER, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the storage is."""
    return tmp_path / "storage.db"


async def test_data_and_claims_outlive_the_storage(path: Path) -> None:
    """Opened again, everything is there and belongs to the same code; nothing lies beside the file."""
    storage = await open_storage(path)
    await storage.claim(KEEPER, "c0de")
    await put(storage, "é%\U0010ffff", b"\0kept")
    await storage.aclose()
    assert [path] == list(path.parent.iterdir())

    storage = await open_storage(path, power_safe=True)
    assert b"\0kept" == await storage.get(KEEPER, "é%\U0010ffff")
    assert StorageUsage(12, 1) == await storage.usage(KEEPER)
    await storage.claim(KEEPER, "c0de")
    with pytest.raises(StorageClaimed):
        await storage.claim(KEEPER, "other")
    await storage.aclose()


async def test_a_claim_holds_before_there_are_data_and_when_others_open_the_file(path: Path) -> None:
    """A component that stores its first value late stores it under its own claim."""
    storage = await open_storage(path)
    await storage.claim(KEEPER, "c0de")
    await (await open_storage(path)).aclose()
    await put(storage, "k")
    await storage.claim(KEEPER, "c0de")
    with pytest.raises(StorageClaimed):
        await storage.claim(KEEPER, "other")
    await storage.aclose()


@pytest.mark.parametrize(("power_safe", "expected"), [(False, 1), (True, 2)])
async def test_power_safe_is_sqlite_s_synchronous_full(path: Path, power_safe: bool, expected: int) -> None:
    """Otherwise NORMAL: a log that the operating system holds, which the end of a process does not take away."""
    storage = await open_storage(path, power_safe=power_safe)
    assert expected == await pragma(storage, "synchronous")
    assert "wal" == await pragma(storage, "journal_mode")
    await storage.aclose()


async def pragma(storage: object, name: str) -> object:
    """Ask the storage's own connection."""
    thread = storage._thread  # type: ignore[attr-defined]
    return await thread.do(lambda db: db.execute(f"PRAGMA {name}").fetchone()[0], writes=False)


async def test_only_its_user_can_read_the_file(path: Path) -> None:
    """What components keep is nobody else's business; the log beside it neither."""
    storage = await open_storage(path)
    await put(storage, "k")
    files = sorted(path.parent.iterdir())
    assert 3 == len(files)
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}
    await storage.aclose()


async def test_closing_leaves_no_thread_and_no_file_open(path: Path) -> None:
    """Also when opening failed, or was cancelled on the way."""
    before = Snapshot.take()
    await (await open_storage(path)).aclose()
    opening = asyncio.ensure_future(open_storage(path))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    path.with_name("bad.db").write_bytes(b"x" * 4096)
    with pytest.raises(StorageUnavailable):
        await open_storage(path.with_name("bad.db"))
    for thread in [thread for thread in threading.enumerate() if thread.name == "airssys-storage"]:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()
    assert {} == left_behind(before, allowed={"threads"})


async def test_a_quota_holds_across_processes_that_share_the_file(path: Path) -> None:
    """Two connections race for room for ten keys."""
    storages = [await open_storage(path, lock_timeout=30) for _ in range(2)]
    writes = [
        storage.set(KEEPER, f"{n}{which}", b"x" * 8, max_bytes=100, max_keys=99)
        for n in range(10)
        for which, storage in enumerate(storages)
    ]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert 10 == outcomes.count(None)
    assert 10 == sum(isinstance(outcome, QuotaExceeded) for outcome in outcomes)
    for storage in storages:
        assert StorageUsage(100, 10) == await storage.usage(KEEPER)
        await storage.aclose()


async def test_many_may_open_a_new_file_at_the_same_time(path: Path) -> None:
    """One of them makes the tables, all can use them."""
    storages = await asyncio.gather(*(open_storage(path, lock_timeout=30) for _ in range(8)))
    await asyncio.gather(*(put(storage, str(n)) for n, storage in enumerate(storages)))
    for storage in storages:
        assert list("01234567") == await storage.list_keys(KEEPER)
    for storage in storages:
        await storage.aclose()


async def test_a_file_that_is_there_and_empty_is_used(path: Path) -> None:
    """As one that a process had just made when it was killed."""
    path.touch()
    storage = await open_storage(path)
    await put(storage, "k")
    await storage.aclose()
    with closing(sqlite3.connect(path)) as database:
        assert (APPLICATION_ID,) == database.execute("PRAGMA application_id").fetchone()
        assert (SCHEMA_VERSION,) == database.execute("PRAGMA user_version").fetchone()
        assert [(2, 1)] == database.execute("SELECT used_bytes, key_count FROM owners").fetchall()


async def test_a_file_of_a_later_version_is_refused_and_left_alone(path: Path) -> None:
    """The text says which versions are meant and what to do."""
    await (await open_storage(path)).aclose()
    sql(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    expected = (
        f"storage {path}: has schema {SCHEMA_VERSION + 1}, this version of airssys_wasm knows {SCHEMA_VERSION}; "
        "use a later one"
    )
    assert expected == await refusal(path)
    assert before == path.read_bytes()


@pytest.mark.parametrize("statement", ["CREATE TABLE t (x)", "PRAGMA application_id = 7"])
async def test_a_database_of_another_program_is_refused_and_left_alone(path: Path, statement: str) -> None:
    """Not even its journal mode is changed."""
    sql(path, statement)
    before = path.read_bytes()
    assert f"storage {path}: is a SQLite database of another program" == await refusal(path)
    assert before == path.read_bytes()


@pytest.mark.parametrize(
    "content", [b"no database, but long enough to be one" * 200, b"SQLite format 3\0" + b"\xff" * 9000]
)
async def test_what_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    """The text names the file."""
    path.write_bytes(content)
    assert f"storage {path}: corrupt or no database" == await refusal(path)
    assert content == path.read_bytes()


async def test_a_file_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    """A missing folder, a folder in its place, a device."""
    missing = tmp_path / "missing" / "storage.db"
    assert f"storage {missing}: cannot be made: No such file or directory" == await refusal(missing)
    assert f"storage {tmp_path}: cannot be opened" == await refusal(tmp_path)
    assert "storage /dev/full: full" == await refusal(Path("/dev/full"))


async def test_a_file_that_is_locked_at_the_start_is_refused_after_a_while(path: Path) -> None:
    """Another process holds it for itself."""
    await (await open_storage(path)).aclose()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        assert f"storage {path}: locked by another process" == await refusal(path)
    await (await open_storage(path)).aclose()


async def test_a_file_marked_read_only_is_refused(path: Path) -> None:
    """Byte 18 of the header larger than 2 means that nobody may write (SQLite file format, 1.3.3)."""
    await (await open_storage(path)).aclose()
    content = bytearray(path.read_bytes())
    content[18] = 3
    path.write_bytes(content)
    assert f"storage {path}: read-only" == await refusal(path)


async def refusal(path: Path) -> str:
    """Why a file cannot be opened."""
    with pytest.raises(StorageUnavailable) as caught:
        await open_storage(path, lock_timeout=0.05)
    return str(caught.value)


def sql(path: Path, statement: str) -> None:
    """Have another program do something to a file."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()


async def test_a_joined_id_is_not_what_separates_components(path: Path) -> None:
    """The parts of an id are columns of their own."""
    storage = await open_storage(path)
    await put(storage, "k", b"1", ComponentId("a|b", "c", "0"))
    await put(storage, "k", b"2", ComponentId("a", "b|c", "0"))
    await storage.aclose()
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT namespace, name, instance FROM owners ORDER BY id").fetchall()
    assert [("a|b", "c", "0"), ("a", "b|c", "0")] == rows
