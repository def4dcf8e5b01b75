"""Reading sources and writing sinks, off the event loop.

A thread reads a chunk, cuts it and hands a batch of messages over; a thread writes a batch. Threads wait for their
descriptor and for a `StopPipe` at the same time, so that neither a silent stdin nor a reader that has gone to sleep
holds up the end of a run.
"""

import contextlib
import os
import select
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, final

import attrs

from airssys_wasm.core.errors import PayloadTooLarge
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import KIB
from airssys_wasm.system.pipeline_framing import BlockFramer, Framer, LineFramer, Oversized, WholeFramer
from airssys_wasm.system.pipeline_spec import Framing, SinkSpec, SourceKind, SourceSpec

CHUNK_BYTES: Final = 64 * KIB
"""What one read asks for: as much as a pipe holds, some 700 lines of a log for one visit to a thread."""

_PIPE_BYTES: Final = select.PIPE_BUF
"""A pipe that is ready takes as many without blocking (POSIX)."""

_READ_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a named pipe opens before it has a writer
_WRITE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_STDIN: Final = 0
_STDOUT: Final = 1


@final
class StopPipe:
    """The wish to stop, as a descriptor that threads can wait for beside their own."""

    def __init__(self) -> None:
        self.descriptor, self._write_end = os.pipe()
        self.requested = False

    def request(self) -> None:
        """Wake all that wait, now and from now on; may be called more than once."""
        if not self.requested:
            self.requested = True
            os.write(self._write_end, b"x")

    def comes_before(self, descriptor: int, event: int) -> bool:
        """Wait until the descriptor is ready, False, or stopping is requested, True."""
        ready = select.poll()
        ready.register(descriptor, event)
        ready.register(self.descriptor, select.POLLIN)
        return any(found == self.descriptor for found, _ in ready.poll())

    def close(self) -> None:
        """Give the descriptors back, once nobody waits."""
        self.requested = True
        os.close(self.descriptor)
        os.close(self._write_end)


@attrs.frozen
class Batch:
    """What one read gave: messages, those that were over the limit, and how many bytes it took."""

    messages: Sequence[bytes]
    oversized: Sequence[Oversized]
    size: int


@final
@attrs.define(eq=False)
class Reader:
    """One source being read: call `read` from one thread at a time until it gives None, then `close`."""

    spec: SourceSpec
    stop: StopPipe
    framer: Framer
    _inputs: Iterator[Path | None] | None = attrs.field(default=None, init=False)
    _descriptor: int | None = attrs.field(default=None, init=False)

    @property
    def place(self) -> str:
        """What is read, for error texts."""
        return str(self.spec.path or self.spec.kind)

    def read(self) -> Batch | None:
        """The next batch, which may be empty; None at the end, or when stopping was requested.

        Raises:
            OSError: The source cannot be opened or read.
        """
        if self._descriptor is None and not self._open_next():
            return None
        chunk = self._read_chunk()
        return None if chunk is None else self._cut(chunk)

    def close(self) -> None:
        """Close what is open; stdin stays."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and descriptor != _STDIN:
            os.close(descriptor)

    def _open_next(self) -> bool:
        if self._inputs is None:
            self._inputs = iter(source_files(self.spec))
        for path in self._inputs:
            self._descriptor = _STDIN if path is None else os.open(path, _READ_FLAGS)
            return True
        return False

    def _read_chunk(self) -> bytes | None:
        """Some bytes, none at the end of the file; None when stopping was requested first."""
        descriptor = self._descriptor
        while descriptor is not None and not self.stop.requested:
            if self.stop.comes_before(descriptor, select.POLLIN):
                break
            with contextlib.suppress(BlockingIOError):  # another reader of the same pipe was faster
                return os.read(descriptor, CHUNK_BYTES)
        return None

    def _cut(self, chunk: bytes) -> Batch:
        messages = self.framer.feed(chunk) if chunk else self.framer.end()
        oversized = tuple(self.framer.oversized)
        self.framer.oversized.clear()
        if not chunk:
            self.close()
        return Batch(messages, oversized, len(chunk))


@final
@attrs.define(eq=False)
class Writer:
    """One sink being written: call it from one thread at a time."""

    spec: SinkSpec
    abort: StopPipe
    _descriptor: int | None = attrs.field(default=None, init=False)
    _is_file: bool = attrs.field(default=False, init=False)

    @property
    def place(self) -> str:
        """What is written, for error texts."""
        return str(self.spec.path or self.spec.kind)

    def open(self) -> None:
        """Make the file anew.

        Raises:
            OSError: It cannot be made.
        """
        self._descriptor = _STDOUT if self.spec.path is None else os.open(self.spec.path, _WRITE_FLAGS, 0o666)
        self._is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    def write(self, messages: Sequence[bytes]) -> None:
        """Write messages, each with a newline behind it when the framing is by line; gives up when it is to abort.

        Raises:
            OSError: No reader is left, the disk is full, or the like.
        """
        line = self.spec.framing is Framing.LINE
        data = memoryview(b"\n".join([*messages, b""]) if line else b"".join(messages))
        while data and self._descriptor is not None:
            if not self._is_file and self.abort.comes_before(self._descriptor, select.POLLOUT):
                return
            with contextlib.suppress(BlockingIOError):  # another writer of the same pipe was faster
                data = data[os.write(self._descriptor, data if self._is_file else data[:_PIPE_BYTES]) :]

    def close(self) -> None:
        """Close the file; stdout stays.

        Raises:
            OSError: The file system found out only now that it could not keep what was written.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and descriptor != _STDOUT:
            os.close(descriptor)


def source_files(spec: SourceSpec) -> list[Path | None]:
    """What is to be read, in order; None is stdin.

    Of a directory: the regular files right in it, by name, without those that begin with a dot.
    """
    if spec.kind is not SourceKind.DIRECTORY or spec.path is None:
        return [spec.path]
    return [path for path in sorted(spec.path.iterdir()) if path.is_file() and not path.name.startswith(".")]


def source_bytes(spec: SourceSpec) -> int | None:
    """How many bytes a source has; None when only its end will tell."""
    try:
        files = source_files(spec)
        sizes = [path.stat().st_size for path in files if path is not None and path.is_file()]
    except OSError:
        return None
    return sum(sizes) if len(sizes) == len(files) else None


def total_bytes(specs: Sequence[SourceSpec]) -> int | None:
    """How many bytes sources have together; None when only their ends will tell."""
    sizes = [source_bytes(spec) for spec in specs]
    return None if None in sizes else sum(size or 0 for size in sizes)


def too_large(refused: Oversized, target: ComponentId, limit: int, source: SourceSpec) -> PayloadTooLarge:
    """What became of a message of this source that the target would not take."""
    return PayloadTooLarge(target, refused.size, limit, what=f"{source.framing} of {source.name}")


def framer_for(spec: SourceSpec, limit: int) -> Framer:
    """The framer that a source asks for; `limit` is the largest message that any of its targets takes."""
    if spec.framing is Framing.LINE:
        return LineFramer(limit)
    return WholeFramer(limit) if spec.block_bytes is None else BlockFramer(spec.block_bytes)
