"""However a program leaves a system, it ends by itself, soon, and Python has nothing to complain about."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

PROGRAM: Final = Path(__file__).with_name("exit_paths.py")


@pytest.mark.parametrize(
    ("way", "code", "said"),
    [
        ("clean", 0, ""),
        ("exception", 0, ""),
        ("keyboard_interrupt", 0, "interrupted"),
        ("sys_exit", 7, None),
        ("cancelled", 0, ""),
        ("never_left", 0, ""),
        ("loop_closed", 0, "at rest"),
    ],
)
def test_a_program_ends_by_itself_with_nothing_left(way: str, code: int, said: str | None) -> None:
    """No warning of any kind, no task that was forgotten, no thread: the leak is looked for inside, at the end.

    A loop that is closed under a system leaves nobody who could end it: its threads are idle then, and die with the
    process.
    """
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", PROGRAM, way], capture_output=True, timeout=100, check=False
    )
    complaints = [line for line in done.stderr.decode().splitlines() if not line.startswith("Executing <")]
    assert (code, []) == (done.returncode, complaints)
    assert said is None or [*said.split()] == done.stdout.decode().split()
