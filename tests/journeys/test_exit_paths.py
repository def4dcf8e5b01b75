"""However a program leaves a system, it ends by itself, soon, and Python has nothing to complain about."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

PROGRAM: Final = Path(__file__).with_name("exit_paths.py")
WAYS: Final = {
    "clean": (0, ""),
    "exception": (0, ""),
    "keyboard_interrupt": (0, "interrupted "),
    "sys_exit": (7, ""),
    "cancelled": (0, ""),
    "never_left": (0, ""),
    "loop_closed": (0, "at rest"),
}

Programs = dict[str, "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """One for each way, all at the same time: most of their time is Python's start."""
    command, pipe = (sys.executable, "-X", "dev", "-W", "error", PROGRAM), subprocess.PIPE
    folders = {way: tmp_path_factory.mktemp(way) for way in WAYS}
    running = {way: subprocess.Popen([*command, way], stdout=pipe, stderr=pipe, cwd=folders[way]) for way in WAYS}
    yield running
    for program in running.values():
        program.kill()
        program.communicate()


@pytest.mark.parametrize("way", WAYS)
def test_a_program_ends_by_itself_with_nothing_left(programs: Programs, way: str) -> None:
    """No warning of any kind, no task that was forgotten, no thread: the leak is looked for inside, at the end.

    A loop that is closed under a system leaves nobody who could end it: its threads are idle then, and die with the
    process.
    """
    said, complaints = programs[way].communicate(timeout=100)
    slow = b"Executing <"  # the loop's debug mode on a busy machine
    assert [] == [line for line in complaints.splitlines() if not line.startswith(slow)]
    assert WAYS[way] == (programs[way].returncode, said.decode())
