"""What a test may leave behind: nothing.

`Snapshot.take` counts threads and open files; `left_behind` names what came up since and has not gone. Objects are
found by `live_instances`, which walks the whole heap: only for the tests that are about them.
"""

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, Self

import attrs

OWN_THREAD_PREFIX: Final = "airssys"
SETTLE_SECONDS: Final = 2.0  # worker threads end just after the loop that used them
LOOP_FILES: Final = ("anon_inode:[eventpoll]", "anon_inode:[eventfd]", "socket:")  # an event loop's own


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
        return {kind: names for kind, names in found.items() if names}


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
    while found := {kind: names for kind, names in before.grown().items() if kind not in allowed}:
        if time.monotonic() > deadline:
            break
        gc.collect()
        time.sleep(0.01)
    return found


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
