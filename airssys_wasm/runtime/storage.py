"""Where components keep their keys and values: a file, or memory.

| file | what is in it |
|---|---|
| storage.py | this: which of the two |
| storage_memory.py | dicts |
| storage_sqlite.py | the file, as seen from the loop |
| storage_thread.py | its thread: group commit, and SQLite's refusals as errors of ours |
| storage_tables.py | its tables and statements |
| host_fn/storage.py | what guests call |
"""

from pathlib import Path
from typing import Final

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.storage import Storage
from airssys_wasm.runtime.storage_memory import IN_MEMORY, MemoryStorage
from airssys_wasm.runtime.storage_sqlite import LOCK_TIMEOUT, SqliteStorage

__all__: Final = ["IN_MEMORY", "LOCK_TIMEOUT", "MemoryStorage", "SqliteStorage", "open_storage"]


async def open_storage(where: Path | str, *, power_safe: bool = False, lock_timeout: float = LOCK_TIMEOUT) -> Storage:
    """Open the storage of a system.

    Args:
        where: A file, made when it is not there (its folder has to be), or ":memory:".
        power_safe: Each commit waits for the disk, so that answered writes survive a power cut too, not only
            `kill -9`. Costs the disk's flush time, which writers at the same time share.
        lock_timeout: Seconds that a write waits for another process that uses the file, before `StorageUnavailable`.

    Raises:
        ConfigError: `where` is neither a path nor ":memory:".
        StorageUnavailable: The file cannot be opened for writing, is corrupt, not ours, or of a later version.

    Cancellation: opens the file to the end; a new file may be there then.
    """
    if str(where) == IN_MEMORY:
        return MemoryStorage()
    if not isinstance(where, Path | str) or not str(where):
        raise ConfigError("storage", where, f'is neither a path nor "{IN_MEMORY}"')
    return await SqliteStorage.open(Path(where), power_safe=power_safe, lock_timeout=lock_timeout)
