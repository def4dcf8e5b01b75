"""`airssys-wasm run --watch`: components are upgraded while the pipeline runs."""

import os
import shutil
from pathlib import Path
from typing import IO

from tests.cli.commands import GUESTS, stages, start


def put(guest: str, place: Path) -> None:
    """Write a file as a compiler does that writes it in pieces."""
    data = (GUESTS / f"{guest}.wasm").read_bytes()
    with place.open("wb") as file:
        file.write(data[:1000])
        file.flush()
        os.fsync(file.fileno())
        file.write(data[1000:])


def answer(program: "tuple[IO[bytes], IO[bytes]]", line: bytes) -> bytes:
    """What comes out for one line."""
    stdin, stdout = program
    stdin.write(line + b"\n")
    return stdout.readline().strip()


def told(stderr: IO[bytes], text: str) -> str:
    """The line of stderr that has the text; those before it are read."""
    while text not in (line := stderr.readline().decode()):
        assert line, f"ended without {text!r}"
    return line


def test_a_changed_file_is_an_upgrade_and_a_broken_one_is_not(tmp_path: Path) -> None:
    """The count goes on from version to version; what is broken, or crashes at once, is told."""
    place = tmp_path / "state.wasm"
    put("state1", place)
    with start("run", "--watch", stages(tmp_path, [str(place.with_suffix(""))])) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stderr is not None
        program = run.stdin, run.stdout
        assert b"1 1" == answer(program, b"a")
        put("state2", place)
        assert "x/0: upgraded to version 2" in told(run.stderr, "upgraded")
        assert b"2 2" == answer(program, b"b")
        place.write_bytes(b"\0asm\x0d\0\x01\0 half a compon")
        assert "the version before serves on" in told(run.stderr, "state.wasm")
        assert b"2 3" == answer(program, b"c")
        shutil.copy(GUESTS / "hostile.wasm", place)
        told(run.stderr, "upgraded")
        assert b"crash" not in answer(program, b"echo d")
        run.stdin.write(b"trap\ntrap\n")
        assert "the old one is back" in told(run.stderr, "crashed too often")
        assert b"2 4" == answer(program, b"e")
        run.stdin.close()
        assert 1 == run.wait(timeout=50), "two messages crashed"
