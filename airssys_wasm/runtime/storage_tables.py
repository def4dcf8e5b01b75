"""The tables of a storage file and what is done with them: plain statements, inside the caller's transaction.

    owners   one row for each component id: the code that claimed it, and how much it keeps
    entries  owner, key, value; keys are blobs of UTF-8, so that nothing collates or normalises them

`used_bytes` and `key_count` change in the same transaction as the entries, which is what makes quotas exact.
"""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

import attrs

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import StorageClaimed, StorageUnavailable, StorageUsage, check_quota

APPLICATION_ID: Final = 0x41495253
"""PRAGMA application_id, "AIRS" in ASCII: tells our files from those of other programs."""

SCHEMA_VERSION: Final = 1
"""PRAGMA user_version; a file with a larger one was written by a later version of this package."""

MAX_WAL_BYTES: Final = 64 * 1024 * 1024
"""The log next to the file is cut back to this size after a burst of writes."""

RETRY_AFTER: Final = 0.01
"""Seconds between two attempts to open a file that others are opening; a new file is ready within one or two."""

_OWNER_ONLY: Final = 0o600
_ABOVE_ANY_UTF8: Final = b"\xff"

_SCHEMA: Final = (
    """CREATE TABLE owners (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        instance TEXT NOT NULL,
        code TEXT,
        used_bytes INTEGER NOT NULL DEFAULT 0,
        key_count INTEGER NOT NULL DEFAULT 0,
        UNIQUE (namespace, name, instance)
    )""",
    """CREATE TABLE entries (
        owner INTEGER NOT NULL REFERENCES owners (id),
        key BLOB NOT NULL,
        value BLOB NOT NULL,
        UNIQUE (owner, key)
    )""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_FIND_OWNER: Final = """SELECT id, code, used_bytes, key_count FROM owners
    WHERE namespace = ? AND name = ? AND instance = ?"""
_ADD_OWNER: Final = "INSERT INTO owners (namespace, name, instance, code) VALUES (?, ?, ?, ?)"
_COUNT: Final = "UPDATE owners SET used_bytes = ?, key_count = ? WHERE id = ?"
_VALUE: Final = """SELECT value FROM owners JOIN entries ON owner = id
    WHERE namespace = ? AND name = ? AND instance = ? AND key = ?"""
_EXISTS: Final = """SELECT 1 FROM owners JOIN entries ON owner = id
    WHERE namespace = ? AND name = ? AND instance = ? AND key = ?"""
_SIZE: Final = "SELECT length(value) FROM entries WHERE owner = ? AND key = ?"
_WRITE: Final = """INSERT INTO entries (owner, key, value) VALUES (?, ?, ?)
    ON CONFLICT (owner, key) DO UPDATE SET value = excluded.value"""
_KEYS: Final = """SELECT key FROM owners JOIN entries ON owner = id
    WHERE namespace = ? AND name = ? AND instance = ? AND key >= ? AND key < ? ORDER BY key"""


@attrs.frozen
class Owner:
    """A row of `owners`."""

    id: int
    code: str | None
    usage: StorageUsage


def open_database(path: Path, *, power_safe: bool, lock_timeout: float) -> sqlite3.Connection:
    """Open a file, or make one that only its user can read.

    Raises:
        StorageUnavailable: It cannot be made, is one of another program, or one of a later version of this package.
        sqlite3.Error: Anything else that SQLite has against it.
    """
    try:
        # Exclusively: closing a descriptor of a file that was there would give up the locks this process has on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY))
    except FileExistsError:
        pass
    except OSError as exc:
        raise StorageUnavailable(str(path), f"cannot be made: {exc.strerror}") from exc
    database = sqlite3.connect(path, timeout=lock_timeout, isolation_level=None)
    try:
        _prepare_patiently(database, path, power_safe=power_safe, lock_timeout=lock_timeout)
    except BaseException:
        database.close()
        raise
    return database


def _prepare_patiently(database: sqlite3.Connection, path: Path, *, power_safe: bool, lock_timeout: float) -> None:
    """Again while others are at it: SQLite refuses some locks at once, its time-out notwithstanding.

    Two that turn a new file to WAL at the same time would wait for each other: one is told so without a wait
    (https://www.sqlite.org/c3ref/busy_handler.html).
    """
    patience = time.monotonic() + lock_timeout
    while True:
        try:
            return _prepare(database, path, power_safe=power_safe)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
        if database.in_transaction:
            database.rollback()
        time.sleep(RETRY_AFTER)


def _prepare(database: sqlite3.Connection, path: Path, *, power_safe: bool) -> None:
    database.execute("BEGIN")  # one look at the file, which another process may be about to make
    _is_new(database, path)
    database.execute("COMMIT")
    mode = _pragma(database, "journal_mode = WAL")
    if mode != "wal":
        raise StorageUnavailable(str(path), "its file system has no shared memory, which SQLite's WAL needs")
    database.execute(f"PRAGMA synchronous = {'FULL' if power_safe else 'NORMAL'}")
    database.execute(f"PRAGMA journal_size_limit = {MAX_WAL_BYTES}")
    database.execute("BEGIN IMMEDIATE")
    # Asked again: another process may have made the tables since.
    for statement in _SCHEMA if _is_new(database, path) else ():
        database.execute(statement)
    # Changes nothing: a file that is read-only says so now, where BEGIN IMMEDIATE does not.
    database.execute("DELETE FROM owners WHERE id IS NULL")
    database.execute("COMMIT")


def _is_new(database: sqlite3.Connection, path: Path) -> bool:
    """Whether there is nothing in the file yet; raises StorageUnavailable when it is not ours."""
    application, version = _pragma(database, "application_id"), _pragma(database, "user_version")
    if application == APPLICATION_ID:
        if version > SCHEMA_VERSION:
            problem = f"has schema {version}, this version of airssys_wasm knows {SCHEMA_VERSION}; use a later one"
            raise StorageUnavailable(str(path), problem)
        return False
    if application or database.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone():
        raise StorageUnavailable(str(path), "is a SQLite database of another program")
    return True


def _pragma(database: sqlite3.Connection, text: str) -> Any:
    return database.execute(f"PRAGMA {text}").fetchone()[0]


def read_value(database: sqlite3.Connection, component: ComponentId, key: bytes) -> bytes | None:
    """The value of a key; None when there is no such key."""
    row = database.execute(_VALUE, (*_columns(component), key)).fetchone()
    return row[0] if row else None


def has_key(database: sqlite3.Connection, component: ComponentId, key: bytes) -> bool:
    """Whether there is such a key."""
    return database.execute(_EXISTS, (*_columns(component), key)).fetchone() is not None


def keys(database: sqlite3.Connection, component: ComponentId, prefix: bytes) -> list[str]:
    """The keys that begin with the prefix, by byte, which in UTF-8 is by code point."""
    found = database.execute(_KEYS, (*_columns(component), prefix, prefix + _ABOVE_ANY_UTF8))
    return [key.decode() for (key,) in found]


def owner_of(database: sqlite3.Connection, component: ComponentId) -> Owner | None:
    """What is known of a component id; None before its first claim or write."""
    row = database.execute(_FIND_OWNER, _columns(component)).fetchone()
    return row and Owner(row[0], row[1], StorageUsage(row[2], row[3]))


def write_value(
    database: sqlite3.Connection, component: ComponentId, key: bytes, value: bytes, *, max_bytes: int, max_keys: int
) -> None:
    """Write a value; raises QuotaExceeded before anything is changed."""
    owner = owner_of(database, component)
    before = owner.usage if owner else StorageUsage()
    old_bytes = _size(database, owner, key) if owner else None
    after = before.after_write(len(key), old_bytes, len(value))
    check_quota(component, before, after, max_bytes=max_bytes, max_keys=max_keys)
    owner_id = owner.id if owner else _add_owner(database, component, None)
    database.execute(_WRITE, (owner_id, key, value))
    database.execute(_COUNT, (after.used_bytes, after.key_count, owner_id))


def delete_key(database: sqlite3.Connection, component: ComponentId, key: bytes) -> None:
    """Remove a key; silent when there is none."""
    owner = owner_of(database, component)
    old_bytes = _size(database, owner, key) if owner else None
    if owner is None or old_bytes is None:
        return
    after = owner.usage.after_delete(len(key), old_bytes)
    database.execute("DELETE FROM entries WHERE owner = ? AND key = ?", (owner.id, key))
    database.execute(_COUNT, (after.used_bytes, after.key_count, owner.id))


def claim(database: sqlite3.Connection, component: ComponentId, code: str, *, inherit: bool) -> None:
    """Note which code uses the id; raises StorageClaimed when there are data of other code."""
    owner = owner_of(database, component)
    if owner is None:
        _add_owner(database, component, code)
        return
    if owner.code != code:
        if owner.usage.key_count and not inherit:
            raise StorageClaimed(component, owner.usage.key_count)
        database.execute("UPDATE owners SET code = ? WHERE id = ?", (code, owner.id))


def erase(database: sqlite3.Connection, component: ComponentId) -> None:
    """Remove all entries of a component; whose id it is stays known."""
    owner = owner_of(database, component)
    if owner is not None:
        database.execute("DELETE FROM entries WHERE owner = ?", (owner.id,))
        database.execute(_COUNT, (0, 0, owner.id))


def _columns(component: ComponentId) -> tuple[str, str, str]:
    return component.namespace, component.name, component.instance


def _add_owner(database: sqlite3.Connection, component: ComponentId, code: str | None) -> int:
    added = database.execute(_ADD_OWNER, (*_columns(component), code)).lastrowid
    return added or 0


def _size(database: sqlite3.Connection, owner: Owner, key: bytes) -> int | None:
    """How long the value of a key is; None when there is no such key. SQLite knows it without reading the value."""
    row = database.execute(_SIZE, (owner.id, key)).fetchone()
    return row[0] if row else None
