"""Storage in a SQLite file: one thread, one connection, every answered write in the file's log."""

from functools import partial
from pathlib import Path
from typing import Final, Self, final

import anyio
import anyio.to_thread

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import StorageUsage, key_bytes
from airssys_wasm.runtime import storage_tables as tables
from airssys_wasm.runtime.storage_thread import StorageThread

LOCK_TIMEOUT: Final = 2.0
"""Seconds that a write waits for another process's transaction; all of the file waits with it."""


@final
class SqliteStorage:
    """Implements the `Storage` port.

    What has been answered survives the end of the process, `kill -9` included: it is in the write-ahead log, which the
    operating system holds. A power cut or a crash of the whole machine can take the last writes before it, never an
    earlier one and never half of one, unless the file was opened `power_safe` (SQLite's synchronous=FULL instead of
    NORMAL): then each commit waits for the disk.

    Several processes may use a file at the same time; quotas hold across them.
    """

    def __init__(self, thread: StorageThread) -> None:
        self._thread = thread

    @classmethod
    async def open(cls, path: Path, *, power_safe: bool = False, lock_timeout: float = LOCK_TIMEOUT) -> Self:
        """Open a file, or make it; raises StorageUnavailable, naming it, for one that cannot be used."""
        opening = partial(tables.open_database, path, power_safe=power_safe, lock_timeout=lock_timeout)
        thread = StorageThread(str(path))
        await thread.start(opening)
        return cls(thread)

    async def get(self, component: ComponentId, key: str) -> bytes | None:
        """The value of a key; None when there is no such key."""
        raw = key_bytes(key)
        value: bytes | None = await self._thread.do(lambda db: tables.read_value(db, component, raw), writes=False)
        return value

    async def set(self, component: ComponentId, key: str, value: bytes, *, max_bytes: int, max_keys: int) -> None:
        """Write a value; see `Storage.set`."""
        raw = key_bytes(key)
        await self._thread.do(
            lambda db: tables.write_value(db, component, raw, value, max_bytes=max_bytes, max_keys=max_keys),
            writes=True,
        )

    async def delete(self, component: ComponentId, key: str) -> None:
        """Remove a key; silent when there is none."""
        raw = key_bytes(key)
        await self._thread.do(lambda db: tables.delete_key(db, component, raw), writes=True)

    async def exists(self, component: ComponentId, key: str) -> bool:
        """Whether there is such a key."""
        raw = key_bytes(key)
        return bool(await self._thread.do(lambda db: tables.has_key(db, component, raw), writes=False))

    async def list_keys(self, component: ComponentId, prefix: str | None = None) -> list[str]:
        """The keys that begin with the prefix, by code point."""
        raw = (prefix or "").encode(errors="surrogatepass")
        found: list[str] = await self._thread.do(lambda db: tables.keys(db, component, raw), writes=False)
        return found

    async def usage(self, component: ComponentId) -> StorageUsage:
        """How much the component keeps."""
        owner: tables.Owner | None = await self._thread.do(lambda db: tables.owner_of(db, component), writes=False)
        return owner.usage if owner else StorageUsage()

    async def claim(self, component: ComponentId, code: str, *, inherit: bool = False) -> None:
        """Say which code uses the id from now on; see `Storage.claim`. Writes only where it changes."""
        owner: tables.Owner | None = await self._thread.do(lambda db: tables.owner_of(db, component), writes=False)
        if owner is None or owner.code != code:
            await self._thread.do(lambda db: tables.claim(db, component, code, inherit=inherit), writes=True)

    async def erase(self, component: ComponentId) -> None:
        """Remove all that a component keeps; see `Storage.erase`."""
        await self._thread.do(lambda db: tables.erase(db, component), writes=True)

    async def aclose(self) -> None:
        """Let what was called before happen, fold the log into the file and close it. May be called twice.

        Cancellation: waits for the thread all the same, which a lock of another process can hold up for a while.
        """
        thread = self._thread.close()
        if thread is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(thread.join)
