"""Compiled components on disk, so that a second process starts in milliseconds.

Loading a compiled component is running native code. The directory therefore has to be this user's own and closed to
others (mode 0700), or it is not used; a file is written under a temporary name and renamed when it is whole; its name
holds the SHA-256 of the source, wasmtime's version and the engine's settings. wasmtime does not notice a flipped bit in
native code, nor what a power cut leaves of a file, so that each file ends in the SHA-256 of all before it.
"""

import contextlib
import hashlib
import logging
import os
import stat
import tempfile
from pathlib import Path
from typing import Final, final

from wasmtime.component import Component

from airssys_wasm.runtime.abi.component import WasmtimeRefused, load_component, save_component
from airssys_wasm.runtime.machine import Machine

DIRECTORY_VARIABLE: Final = "AIRSSYS_WASM_CACHE"
"""Environment variable with another cache directory; empty turns the cache off."""

_PRIVATE: Final = 0o700
_DIGEST_BYTES: Final = 32
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
class CompileCache:
    """Compiled components by digest and machine; every failure of the disk is a miss, said once in the log."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._complained = False

    def get(self, machine: Machine, digest: str) -> Component | None:
        """The compiled component; None when it is not there, damaged, or not to be trusted."""
        try:
            path = self._path(machine, digest)
            if path is None or not path.is_file():
                return None
            if not _is_whole(path):
                self._complain(f"{path} is damaged")
                return None
            return load_component(machine.engine, str(path))
        except (OSError, WasmtimeRefused) as exc:
            self._complain(f"an entry cannot be used: {exc}")
            return None

    def put(self, machine: Machine, digest: str, component: Component) -> None:
        """Keep a compiled component; a full or read-only disk costs only the next start its time."""
        try:
            path = self._path(machine, digest)
            if path is not None:
                _write(path, component)
        except (OSError, WasmtimeRefused) as exc:
            self._complain(f"an entry cannot be written: {exc}")

    def _path(self, machine: Machine, digest: str) -> Path | None:
        if self._directory is None or not self._trusted(self._directory):
            return None
        return self._directory / f"{digest}.{machine.fingerprint}.cwasm"

    def _trusted(self, directory: Path) -> bool:
        """Make the directory if need be, and refuse one that others could write to."""
        directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        status = directory.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077:
            return True
        self._complain(f"{directory} is not a directory of this user's own with mode 0700")
        return False

    def _complain(self, problem: str) -> None:
        if not self._complained:
            self._complained = True
            _logger.warning("compile cache: %s; components are compiled anew", problem)


def _is_whole(path: Path) -> bool:
    content = memoryview(path.read_bytes())
    return hashlib.sha256(content[:-_DIGEST_BYTES]).digest() == content[-_DIGEST_BYTES:]


def _write(path: Path, component: Component) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        try:
            save_component(component, descriptor)
            os.write(descriptor, hashlib.sha256(Path(temporary).read_bytes()).digest())
        finally:
            os.close(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
