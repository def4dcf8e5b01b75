"""Compiled components on disk, so that a second process starts in milliseconds.

Loading a compiled component is running native code. The directory therefore has to be this user's own and closed to
others (mode 0700), or it is not used; a file is written under a temporary name and renamed when it is whole; its name
holds the SHA-256 of the source, wasmtime's version, the engine's settings, and what the source was extended with.
wasmtime does not notice a flipped bit in native code, nor what a power cut leaves of a file: each file is checked
against its own hash before it is mapped. All files together are bounded: those that were not used for longest go first
(`cache_file.py`).
"""

import contextlib
import logging
import os
import stat
import threading
from pathlib import Path
from typing import Final, final

import attrs
from wasmtime.component import Component

from airssys_wasm.core.limits import MIB
from airssys_wasm.runtime.abi.component import WasmtimeRefused, load_component
from airssys_wasm.runtime.cache_file import SUFFIX, is_whole, prune, touch, write
from airssys_wasm.runtime.machine import Machine

DIRECTORY_VARIABLE: Final = "AIRSSYS_WASM_CACHE"
"""Environment variable with another cache directory; empty turns the cache off."""

MAX_BYTES: Final = 1024 * MIB
"""Of all files together: some thirty guests that bring an interpreter along, or ten thousand small ones."""

_PRIVATE: Final = 0o700
_logger = logging.getLogger("airssys_wasm.runtime")


def default_directory() -> Path | None:
    """`$AIRSSYS_WASM_CACHE`, or `airssys-wasm` in the user's cache directory (XDG base directory specification)."""
    chosen = os.environ.get(DIRECTORY_VARIABLE)
    if chosen is not None:
        return Path(chosen) if chosen else None
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "airssys-wasm"
    with contextlib.suppress(RuntimeError):  # no home directory: no cache
        return Path.home() / ".cache" / "airssys-wasm"
    return None


@final
@attrs.frozen
class CacheStatistics:
    """What a cache has done for one engine: entries that were used, and entries that were written."""

    hits: int = 0
    written: int = 0

    def __sub__(self, earlier: "CacheStatistics") -> "CacheStatistics":
        return CacheStatistics(self.hits - earlier.hits, self.written - earlier.written)


@final
class CompileCache:
    """Compiled components by digest and machine; every failure of the disk is a miss, said once in the log."""

    def __init__(self, directory: Path | None, max_bytes: int = MAX_BYTES) -> None:
        self._directory, self._max_bytes = directory, max_bytes
        self._complained = False
        self._statistics, self._counting = CacheStatistics(), threading.Lock()

    @property
    def statistics(self) -> CacheStatistics:
        """What it has done so far."""
        return self._statistics

    def get(self, machine: Machine, digest: str, extension: str = "") -> Component | None:
        """The compiled component; None when it is not there, damaged, or not to be trusted."""
        try:
            path = self._path(machine, digest, extension)
            if path is None or not path.is_file():
                return None
            if not is_whole(path):
                self._complain(f"{path} is damaged")
                return None
            component = load_component(machine.engine, str(path))
            touch(path)
            self._count(hits=1)
        except FileNotFoundError:  # another process has just removed it, to make room
            return None
        except (OSError, WasmtimeRefused) as exc:
            self._complain(f"an entry cannot be used: {exc}")
            return None
        return component

    def put(self, machine: Machine, digest: str, component: Component, extension: str = "") -> None:
        """Keep a compiled component; a full or read-only disk costs only the next start its time."""
        try:
            path = self._path(machine, digest, extension)
            if path is not None:
                write(path, component)
                self._count(written=1)
                prune(path.parent, self._max_bytes, keep=path)
        except (OSError, WasmtimeRefused) as exc:
            self._complain(f"an entry cannot be written: {exc}")

    def _path(self, machine: Machine, digest: str, extension: str) -> Path | None:
        if self._directory is None or not self._trusted(self._directory):
            return None
        return self._directory / f"{digest}.{machine.fingerprint}{extension}{SUFFIX}"

    def _trusted(self, directory: Path) -> bool:
        """Make the directory if need be, and refuse one that others could write to."""
        directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        status = directory.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077:
            return True
        self._complain(f"{directory} is not a directory of this user's own with mode 0700")
        return False

    def _count(self, *, hits: int = 0, written: int = 0) -> None:
        with self._counting:
            now = self._statistics
            self._statistics = CacheStatistics(now.hits + hits, now.written + written)

    def _complain(self, problem: str) -> None:
        if not self._complained:
            self._complained = True
            _logger.warning("compile cache: %s; components are compiled anew", problem)
