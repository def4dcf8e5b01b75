"""Reading sources and writing sinks: files, directories, pipes, full disks."""

import array
import fcntl
import os
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airssys_wasm.system.pipeline_framing import Oversized
from airssys_wasm.system.pipeline_io import (
    CHUNK_BYTES,
    Reader,
    StopPipe,
    Writer,
    framer_for,
    source_bytes,
    source_files,
)
from airssys_wasm.system.pipeline_spec import Framing, SinkKind, SinkSpec, SourceKind, SourceSpec


@pytest.fixture
def stop() -> Iterator[StopPipe]:
    """A wish to stop that nobody has yet."""
    pipe = StopPipe()
    yield pipe
    pipe.close()


def read_all(spec: SourceSpec, stop: StopPipe, limit: int = 1000) -> tuple[list[bytes], list[Oversized], int]:
    """Everything a source gives."""
    reader, messages, oversized, size = Reader(spec, stop, framer_for(spec, limit)), list[bytes](), list[Oversized](), 0
    while (batch := reader.read()) is not None:
        messages += batch.messages
        oversized += batch.oversized
        size += batch.size
    reader.close()
    return messages, oversized, size


def test_a_file_longer_than_a_chunk_is_read_whole(tmp_path: Path, stop: StopPipe) -> None:
    """Lines across chunks are whole, and every byte is counted."""
    lines = [b"%d" % number * 7 for number in range(CHUNK_BYTES // 8)]
    path = tmp_path / "in.txt"
    path.write_bytes(b"\n".join(lines))
    assert (lines, [], path.stat().st_size) == read_all(SourceSpec("in", SourceKind.FILE, path), stop)


def test_an_oversized_line_is_named_and_the_next_one_read(tmp_path: Path, stop: StopPipe) -> None:
    """The limit is that of the component that would get it."""
    path = tmp_path / "in.txt"
    path.write_bytes(b"a\n" + b"x" * (3 * CHUNK_BYTES) + b"\nb\n")
    messages, oversized, _ = read_all(SourceSpec("in", SourceKind.FILE, path), stop)
    assert [b"a", b"b"] == messages
    assert [3 * CHUNK_BYTES] == [refused.size for refused in oversized]


@pytest.mark.parametrize(
    ("framing", "block_bytes", "expected"),
    [
        (Framing.LINE, None, [b"a1", b"a2", b"b"]),
        (Framing.BLOCK, None, [b"a1\na2", b"b\n", b""]),
        (Framing.BLOCK, 2, [b"a1", b"\na", b"2", b"b\n"]),
    ],
)
def test_a_directory_is_read_by_name(
    tmp_path: Path, stop: StopPipe, framing: Framing, block_bytes: int | None, expected: list[bytes]
) -> None:
    """Regular files only, hidden ones left out; no line or block runs from one file into the next."""
    (tmp_path / "2").write_bytes(b"b\n")
    (tmp_path / "1").write_bytes(b"a1\na2")
    (tmp_path / "3").touch()
    (tmp_path / ".hidden").write_bytes(b"no\n")
    (tmp_path / "0").mkdir()
    spec = SourceSpec("in", SourceKind.DIRECTORY, tmp_path, framing, block_bytes)
    assert (expected, [], 7) == read_all(spec, stop)
    assert source_bytes(spec) == 7


def test_a_silent_pipe_does_not_hold_up_a_stop(tmp_path: Path, stop: StopPipe) -> None:
    """The thread that waits for input wakes, and a line that is not whole is left."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    spec = SourceSpec("in", SourceKind.FILE, path)
    thread = threading.Thread(target=lambda: read.extend(read_all(spec, stop)[0]))
    thread.start()
    with path.open("wb", buffering=0) as pipe:
        pipe.write(b"whole\nnot wh")
        while not read_back_empty(pipe.fileno()):
            pass
        stop.request()
        stop.request()
        thread.join(10)
    assert not thread.is_alive()
    assert read == [b"whole"]


def test_a_named_pipe_without_a_writer_does_not_hold_up_a_stop(tmp_path: Path, stop: StopPipe) -> None:
    """Nor is it at its end: a writer may come."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=read_all, args=(SourceSpec("in", SourceKind.FILE, path), stop), daemon=True)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    stop.request()
    thread.join(10)
    assert not thread.is_alive()


def read_back_empty(descriptor: int) -> bool:
    """Whether all that was written into a pipe has been read."""
    waiting = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
    return waiting[0] == 0


def test_a_source_that_cannot_be_read_raises_what_the_system_said(tmp_path: Path, stop: StopPipe) -> None:
    """It may have gone since it was checked."""
    with pytest.raises(FileNotFoundError):
        read_all(SourceSpec("in", SourceKind.FILE, tmp_path / "gone"), stop)


def test_the_size_of_stdin_is_not_known() -> None:
    """No progress in percent for it."""
    spec = SourceSpec("in", SourceKind.STDIN)
    assert source_files(spec) == [None]
    assert source_bytes(spec) is None


@pytest.mark.parametrize(("framing", "expected"), [(Framing.LINE, b"a\n\nb\n"), (Framing.BLOCK, b"ab")])
def test_a_sink_adds_the_newline(tmp_path: Path, stop: StopPipe, framing: Framing, expected: bytes) -> None:
    """Only where the framing is by line; the file is made anew."""
    path = tmp_path / "out"
    path.write_bytes(b"something longer than what comes")
    writer = Writer(SinkSpec("out", SinkKind.FILE, path, framing), stop)
    writer.open()
    writer.write([])
    writer.write([b"a", b""])
    writer.write([b"b"])
    writer.close()
    writer.close()
    assert expected == path.read_bytes()


def test_a_slow_pipe_that_does_not_block_gets_everything(tmp_path: Path, stop: StopPipe) -> None:
    """Terminals are often left non-blocking by other programs."""
    path, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: got.append(path.read_bytes()))
    thread.start()
    writer = Writer(SinkSpec("out", SinkKind.FILE, path), stop)
    writer.open()
    os.set_blocking(writer._descriptor or 0, False)
    writer.write([b"x" * 500_000] * 3)
    writer.close()
    thread.join(10)
    assert [(b"x" * 500_000 + b"\n") * 3] == got


def test_a_full_disk_says_so(stop: StopPipe) -> None:
    """As the system says it."""
    writer = Writer(SinkSpec("out", SinkKind.FILE, Path("/dev/full")), stop)
    writer.open()
    with pytest.raises(OSError, match="No space left"):
        writer.write([b"x"])
    writer.close()


def test_a_pipe_that_nobody_reads_does_not_hold_up_an_abort(tmp_path: Path, stop: StopPipe) -> None:
    """The thread that waits to write wakes."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = Writer(SinkSpec("out", SinkKind.FILE, path), stop)
    writer.open()
    thread = threading.Thread(target=writer.write, args=([b"x" * 1_000_000],))
    thread.start()
    stop.request()
    thread.join(10)
    assert not thread.is_alive()
    writer.close()
    os.close(descriptor)
