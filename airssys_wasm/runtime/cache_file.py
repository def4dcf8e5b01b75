"""The files of the compile cache: written whole, checked before they are run, and not too many of them.

| a file | is |
|---|---|
| `<key>.cwasm` | compiled code, and behind it the hash of its pieces' SHA-256 |
| `.new-…` | being written; left over by a process that died, it is removed after an hour |

Pieces are hashed by several threads at a time: 35 MiB, what a Python guest compiles to, in 10 ms on two cores.
"""

import contextlib
import hashlib
import mmap
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from wasmtime.component import Component

from airssys_wasm.core.limits import MIB
from airssys_wasm.runtime.abi.component import save_component

SUFFIX: Final = ".cwasm"
_NEW: Final = ".new-"
_PIECE: Final = 2 * MIB
_DIGEST_BYTES: Final = 32
_HASHERS: Final = min(4, os.cpu_count() or 1)
_LEFT_OVER_SECONDS: Final = 3600.0


def is_whole(path: Path) -> bool:
    """Whether a file is what was written; raises OSError."""
    with path.open("rb") as file, contextlib.closing(_mapped(file.fileno())) as content:
        size = len(content) - _DIGEST_BYTES
        with memoryview(content) as view, view[:size] as code:
            return size > 0 and _hash(code) == view[size:].tobytes()


def write(path: Path, component: Component) -> None:
    """Write a file under another name and rename it; raises OSError and WasmtimeRefused, and leaves nothing then."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_NEW)
    try:
        try:
            save_component(component, descriptor)
            with contextlib.closing(_mapped(descriptor)) as content, memoryview(content) as code:
                digest = _hash(code)
            os.write(descriptor, digest)
        finally:
            os.close(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def touch(path: Path) -> None:
    """Note that a file has been used; it stays longer."""
    with contextlib.suppress(OSError):
        os.utime(path)


def prune(directory: Path, max_bytes: int, keep: Path) -> list[Path]:
    """Remove the files that were not used for longest, until the rest is within a bound.

    Other processes may do the same at the same time, and may be using what is removed: it stays mapped for them.

    Args:
        directory: the cache.
        max_bytes: for all files together; `keep` stays even if it alone is larger.
        keep: the one just written.

    Returns:
        What was removed.
    """
    files = sorted(_files(directory), reverse=True)
    left, removed = max_bytes - sum(size for _, size, path in files if path == keep), []
    for _used, size, path in files:
        if path == keep:
            continue
        left -= size
        if left < 0:
            path.unlink(missing_ok=True)
            removed.append(path)
    _remove_left_over(directory)
    return removed


def _files(directory: Path) -> Iterator[tuple[float, int, Path]]:
    """When each file was last used, how large it is, and where."""
    for path in directory.glob(f"*{SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            status = path.stat()
            yield status.st_mtime, status.st_size, path


def _remove_left_over(directory: Path) -> None:
    for path in directory.glob(f"{_NEW}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFT_OVER_SECONDS:
                path.unlink()


def _mapped(descriptor: int) -> mmap.mmap:
    """The content; raises OSError, also for an empty file."""
    if not os.fstat(descriptor).st_size:
        raise OSError("is empty")
    return mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)


def _hash(content: memoryview) -> bytes:
    """The SHA-256 of the SHA-256 of each piece."""
    pieces = [content[start : start + _PIECE] for start in range(0, len(content), _PIECE)]
    try:
        if len(pieces) == 1:
            digests = [_sha256(pieces[0])]
        else:
            with ThreadPoolExecutor(_HASHERS, "airssys-hash") as hashers:
                digests = list(hashers.map(_sha256, pieces))
    finally:
        for piece in pieces:
            piece.release()
    return hashlib.sha256(b"".join(digests)).digest()


def _sha256(piece: memoryview) -> bytes:
    return hashlib.sha256(piece).digest()
