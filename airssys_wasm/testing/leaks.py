"""What a test may leave behind: nothing.

async with assert_no_leaks():
    async with ActorSystem() as system: ...

looks for tasks, threads, open files and Stores. The pytest plugin does so after each test that asks for it, Stores
aside: finding objects walks the whole heap. Needs Linux's /proc.
"""

import asyncio
import gc
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, final

import attrs

from airssys_wasm.system.builder import WasmtimeEngine

OWN_THREAD_PREFIX: Final = "airssys"
SETTLE_SECONDS: Final = 2.0
"""How long threads get to end: those of a pool end just after the loop that used them."""

LOOP_FILES: Final = ("anon_inode:[eventpoll]", "anon_inode:[eventfd]", "socket:")  # an event loop's own

POOL_THREADS: Final = ("AnyIO worker thread", "asyncio_")
"""Threads that a loop keeps for its next blocking call, until it ends."""

COMPILED_CODE: Final = re.compile(r"/memfd:wasm-|.*\.cwasm( \(deleted\))?$")
"""What a compiled component maps, for as long as somebody holds it, or a handle of a guest made of it."""

_TURN_SECONDS: Final = 0.01
_MOST_SHOWN: Final = 5


@attrs.frozen
class Snapshot:
    """The threads and open files of this process at one moment."""

    threads: frozenset[threading.Thread]
    files: Counter[str]

    @classmethod
    def take(cls) -> Self:
        """Count what there is now."""
        return cls(frozenset(_watched_threads()), Counter(_open_files()))

    def grown(self) -> dict[str, list[str]]:
        """What is there now and was not at the snapshot, by kind: "threads", "files"."""
        now = Snapshot.take()
        found = {
            "threads": sorted(thread.name for thread in now.threads - self.threads),
            "files": sorted((now.files - self.files).elements()),
        }
        return _without(found, ())


def left_behind(
    before: Snapshot, *, allowed: Collection[str] = (), settle: float = SETTLE_SECONDS
) -> dict[str, list[str]]:
    """What is still there that was not there before, by kind; empty when nothing is.

    Args:
        before: the snapshot to compare with.
        allowed: kinds that may stay.
        settle: how many seconds threads get to end and garbage to be collected.
    """
    deadline = time.monotonic() + settle
    while found := _without(before.grown(), allowed):
        if time.monotonic() > deadline:
            break
        gc.collect()
        time.sleep(_TURN_SECONDS)
    return found


def tasks_left(before: set[asyncio.Task[Any]]) -> list[str]:
    """The other tasks of the running loop that were not there before, in words; at most a few."""
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    return sorted(f"{task.get_name()} {task.get_coro()!r}" for task in left)[:_MOST_SHOWN]


def in_words(found: dict[str, list[str]]) -> str:
    """What was left behind, for a person: `left behind, threads: worker; files: /tmp/x`."""
    return "left behind, " + "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found.items())


@final
class LeakCheck:
    """A `with` or `async with` block that must leave nothing behind; an exception that leaves it goes first.

    The loop and the block's variables may still be there, so that their threads and mapped code are not looked at.
    """

    def __init__(self, allowed: Collection[str], settle: float) -> None:
        self._allowed, self._settle = frozenset(allowed), settle
        self._snapshot: Snapshot | None = None
        self._stores = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> None:
        """Remember what is there."""
        self._stores, self._snapshot = open_stores(), Snapshot.take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise AssertionError when something has come and not gone."""
        give_up = time.monotonic() + self._settle
        while kind is None and (found := self._found()):
            self._refuse_after(give_up, found)
            time.sleep(_TURN_SECONDS)

    async def __aenter__(self) -> None:
        """Remember what is there, tasks too."""
        self._tasks = asyncio.all_tasks()
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise AssertionError when something has come and not gone; the loop runs meanwhile."""
        give_up = time.monotonic() + self._settle
        while kind is None and (found := _without({"tasks": tasks_left(self._tasks)}, self._allowed) | self._found()):
            self._refuse_after(give_up, found)
            await asyncio.sleep(_TURN_SECONDS)

    def _found(self) -> dict[str, list[str]]:
        gc.collect()
        more = open_stores() - self._stores
        stores = [f"{more} of guests"] if more > 0 else []
        grown = {} if self._snapshot is None else self._snapshot.grown()
        threads = [name for name in grown.get("threads", ()) if not name.startswith(POOL_THREADS)]
        files = [name for name in grown.get("files", ()) if not COMPILED_CODE.match(name)]
        return _without({"threads": threads, "files": files, "stores": stores}, self._allowed)

    @staticmethod
    def _refuse_after(give_up: float, found: dict[str, list[str]]) -> None:
        if time.monotonic() > give_up:
            raise AssertionError(in_words(found))


def assert_no_leaks(*, allowed: Collection[str] = (), settle: float = SETTLE_SECONDS) -> LeakCheck:
    """A block that leaves no task, thread, open file or Store behind, or fails with an AssertionError that names it.

    Args:
        allowed: kinds that may stay: "tasks", "threads", "files", "stores".
        settle: how many seconds they get to go.

    Returns:
        For `async with`; for `with` too, which does not look at tasks.
    """
    return LeakCheck(allowed, settle)


def open_stores() -> int:
    """The guests of WebAssembly in this process that have not been closed, whosever they are."""
    engines = [thing for thing in gc.get_objects() if isinstance(thing, WasmtimeEngine)]
    return sum(engine.live_stores for engine in engines)


def live_instances(type_name: str) -> list[object]:
    """All objects of a class, after a garbage collection.

    Args:
        type_name: the class's name, bare ("Store") or with its module ("wasmtime._store.Store").
    """
    gc.collect()
    return [thing for thing in gc.get_objects() if type_name in _names(type(thing))]


def resident_bytes() -> int:
    """The memory of this process that is in RAM now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _without(found: dict[str, list[str]], allowed: Collection[str]) -> dict[str, list[str]]:
    return {kind: names for kind, names in found.items() if names and kind not in allowed}


def _names(cls: type) -> tuple[str, str]:
    return cls.__name__, f"{cls.__module__}.{cls.__qualname__}"


def _watched_threads() -> Iterator[threading.Thread]:
    for thread in threading.enumerate():
        if not thread.daemon or thread.name.startswith(OWN_THREAD_PREFIX):
            yield thread


def _open_files() -> Iterator[str]:
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:  # the listing's own descriptor
            continue
        if not target.startswith(LOOP_FILES):
            yield _without_number(target)


def _without_number(target: str) -> str:
    """`pipe:[123]` as `pipe`: a pipe is reopened under another number."""
    return target.partition(":[")[0] if target.endswith("]") else target
