"""Storage of both kinds, and short ways to use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import Storage
from airssys_wasm.runtime.storage import open_storage

KINDS: Final = ["memory", "file"]
KEEPER: Final = ComponentId("demo", "keeper", "0")
OTHER: Final = ComponentId("demo", "keeper", "00")


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Storage]:
    """An empty storage, closed at the end."""
    storage = await open_storage(":memory:" if kind == "memory" else folder / "storage.db")
    try:
        yield storage
    finally:
        await storage.aclose()


async def put(storage: Storage, key: str, value: bytes = b"v", component: ComponentId = KEEPER) -> None:
    """Write with more quota than anyone needs."""
    await storage.set(component, key, value, max_bytes=1 << 40, max_keys=1 << 40)
