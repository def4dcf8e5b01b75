"""What does a stored value cost? Guest `storage.set` and `get` beside plain sqlite3 with the same settings, in one run.

A guest's operation is one message to it, of which `echo` is the part that is not storage. Plain sqlite3 is the least a
program can do: one table, one connection, called on the loop, which stops as long; beside it the same through
`asyncio.to_thread`, which does not stop the loop. One writer pays a commit for each value, fifty share it.
"""

import asyncio
import itertools
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.ports import HostState
from airssys_wasm.core.storage import Storage
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.storage import open_storage
from airssys_wasm.runtime.store import GuestStore
from benchmarks.harness import GUESTS, Contestant, race, show, table, write

VALUE_BYTES = 100
KEYS = 1000
WRITERS = 50
HOST = ComponentId("host", "bench", "0")
SERIAL = itertools.count()
ROOM = {"max_bytes": 1 << 40, "max_keys": 1 << 40}


def fresh() -> bytes:
    """A value that is nowhere yet: SQLite leaves a page alone when nothing in it changes."""
    return b"%0*d" % (VALUE_BYTES, next(SERIAL))


class Plain:
    """The same as a program without a runtime would do it."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(f"PRAGMA synchronous = {synchronous}")
        self._database.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB)")

    def set(self, key: str) -> None:
        """Write, with a commit of its own."""
        self._database.execute("INSERT OR REPLACE INTO entries VALUES (?, ?)", (key, fresh()))

    def get(self, key: str) -> None:
        """Read."""
        self._database.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def told(guest: GuestStore, command: str) -> Contestant:
    """Have the guest carry out a command, each time with another key."""

    async def run(count: int) -> None:
        for n in range(count):
            payload = command.replace("KEY", f"key-{n % KEYS}").encode().replace(b"VALUE", fresh())
            answer = await guest.handle_message(ComponentMessage(HOST, payload))
            assert answer is not None
            assert not answer.startswith(b"err"), answer

    return run


def called(operation: Callable[[str], Awaitable[Any]]) -> Contestant:
    """Call a storage from host code."""

    async def run(count: int) -> None:
        for n in range(count):
            await operation(f"key-{n % KEYS}")

    return run


def blocking(operation: Callable[[str], None]) -> Contestant:
    """Call plain sqlite3 on the loop."""

    async def run(count: int) -> None:
        for n in range(count):
            operation(f"key-{n % KEYS}")

    return run


def threaded(operation: Callable[[str], None]) -> Contestant:
    """Call plain sqlite3 beside the loop."""
    return called(lambda key: asyncio.to_thread(operation, key))


def crowd(storage: Storage) -> Contestant:
    """Fifty components that write at the same time."""

    async def write_some(component: ComponentId, count: int) -> None:
        for n in range(count):
            await storage.set(component, f"key-{n % KEYS}", fresh(), **ROOM)

    async def run(count: int) -> None:
        each = -(-count // WRITERS)
        await asyncio.gather(*(write_some(ComponentId("bench", "writer", str(n)), each) for n in range(WRITERS)))

    return run


async def start(engine: WasmtimeEngine, storage: Storage) -> GuestStore:
    """A guest that may use the storage."""
    state = HostState(ComponentId("bench", "guest", "0"), Limits(), storage=storage, authorise_storage=lambda *_: None)
    guest = await engine.start(await engine.compile(GUESTS / "hostile.wasm", state.limits), state)
    await guest.initialize(ComponentConfig())
    return guest


async def measure(folder: Path) -> dict[str, Any]:
    """All figures, each contestant in every round."""
    memory, file = await open_storage(":memory:"), await open_storage(folder / "file.db")
    safe = await open_storage(folder / "safe.db", power_safe=True)
    plain, plain_safe = Plain(folder / "plain.db", "NORMAL"), Plain(folder / "plain-safe.db", "FULL")
    own = ComponentId("bench", "host", "0")
    async with WasmtimeEngine() as engine:
        guests = {
            name: await start(engine, storage) for name, storage in (("memory", memory), ("file", file), ("safe", safe))
        }
        contestants = {
            "guest echo": told(guests["memory"], "echo KEY VALUE"),
            "guest set, memory": told(guests["memory"], "storage-set KEY VALUE"),
            "guest set, file": told(guests["file"], "storage-set KEY VALUE"),
            "guest set, file power_safe": told(guests["safe"], "storage-set KEY VALUE"),
            "host set, file": called(lambda key: file.set(own, key, fresh(), **ROOM)),
            "sqlite3 set, NORMAL": blocking(plain.set),
            "sqlite3 set, FULL": blocking(plain_safe.set),
            "sqlite3 set, NORMAL, to_thread": threaded(plain.set),
            "guest get, memory": told(guests["memory"], "storage-get KEY"),
            "guest get, file": told(guests["file"], "storage-get KEY"),
            "host get, file": called(lambda key: file.get(own, key)),
            "sqlite3 get": blocking(plain.get),
            "sqlite3 get, to_thread": threaded(plain.get),
            "50 writers, file": crowd(file),
            "50 writers, file power_safe": crowd(safe),
        }
        figures = await race(contestants)
        for guest in guests.values():
            await guest.aclose()
    for storage in (memory, file, safe):
        await storage.aclose()
    plain.close()
    plain_safe.close()
    return {name: {"median": f.median, "low": f.low, "high": f.high} for name, f in figures.items()}


def ratios(results: dict[str, Any]) -> dict[str, float]:
    """What is compared with what, medians of the one run."""
    pairs = {
        "guest set : sqlite3 NORMAL": ("guest set, file", "sqlite3 set, NORMAL"),
        "guest set power_safe : sqlite3 FULL": ("guest set, file power_safe", "sqlite3 set, FULL"),
        "host set : sqlite3 to_thread": ("host set, file", "sqlite3 set, NORMAL, to_thread"),
        "host get : sqlite3 to_thread": ("host get, file", "sqlite3 get, to_thread"),
        "guest get : sqlite3": ("guest get, file", "sqlite3 get"),
        "guest set : guest echo": ("guest set, file", "guest echo"),
        "power_safe : not, one writer": ("guest set, file power_safe", "guest set, file"),
        "power_safe : not, 50 writers": ("50 writers, file power_safe", "50 writers, file"),
        "50 writers power_safe : sqlite3 FULL": ("50 writers, file power_safe", "sqlite3 set, FULL"),
    }
    return {name: results[ours]["median"] / results[peer]["median"] for name, (ours, peer) in pairs.items()}


async def main() -> None:
    """Run, print the tables, write the JSON."""
    with tempfile.TemporaryDirectory() as folder:
        figures = await measure(Path(folder))
    compared = ratios(figures)
    show(table(("µs an operation", "median", "low", "high"), [(name, *row.values()) for name, row in figures.items()]))
    show(table(("ratio of medians", "times"), list(compared.items())))
    show(f"written to {write('storage', {'microseconds': figures, 'ratios': compared})}")


if __name__ == "__main__":
    asyncio.run(main())
