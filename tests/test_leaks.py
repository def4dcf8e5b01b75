"""The check that each test passes on its way out finds what it is for."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import pytest

from tests.leaks import Snapshot, left_behind, live_instances, resident_bytes

ROOT: Final = Path(__file__).parent.parent
LEAKY_TESTS: Final = """
import asyncio, os, threading, time
import pytest

KEPT = []

def start_thread(**options):
    threading.Thread(target=time.sleep, args=(3,), **options).start()

@pytest.fixture
async def served():
    task = asyncio.create_task(asyncio.sleep(9))
    yield
    task.cancel()
    await asyncio.wait([task])

async def test_leaves_a_task():
    KEPT.append(asyncio.create_task(asyncio.sleep(9)))

def test_leaves_a_thread():
    start_thread(name="worker")

def test_leaves_a_daemon_of_ours():
    start_thread(name="airssys-lane", daemon=True)

def test_leaves_a_file():
    KEPT.append(os.open(__file__, os.O_RDONLY))

async def test_leaves_nothing(served):
    await asyncio.to_thread(int)

@pytest.mark.leaves_behind("threads", reason="shows that it may")
def test_may_leave_a_thread():
    start_thread(name="airssys-lane", daemon=True)
"""


def test_a_leaving_test_is_an_error_that_names_what_it_left(tmp_path: Path) -> None:
    """Four kinds are found, the loop's own threads and a test's own fixtures are not."""
    (tmp_path / "test_leaky.py").write_text(LEAKY_TESTS, encoding="utf-8")
    options = ["-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(tmp_path)]
    plain = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, timeout=50, check=False)
    errors = [line for line in done.stdout.splitlines() if line.startswith("left behind, ")]
    assert "left behind, 1 tasks: Task-" in errors[0]
    assert ["left behind, threads: worker", "left behind, threads: airssys-lane"] == errors[1:3]
    assert [f"left behind, files: {tmp_path / 'test_leaky.py'}"] == errors[3:]
    assert "6 passed, 4 errors" in done.stdout


def test_a_thread_that_is_about_to_end_gets_time() -> None:
    """Worker threads end just after the loop that used them; that is no leak."""
    before = Snapshot.take()
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name="about-to-end")
    thread.start()
    assert {"threads": ["about-to-end"]} == left_behind(before, settle=0)
    assert {} == left_behind(before, allowed={"threads"}, settle=0)
    go.set()
    assert {} == left_behind(before)


def test_live_instances_are_found_by_either_name() -> None:
    """Objects that are gone are not counted, in a cycle or not."""

    class Kept:
        pass

    kept, gone = Kept(), Kept()
    gone.self = gone  # type: ignore[attr-defined]
    del gone
    assert [kept] == live_instances("Kept")
    assert [kept] == live_instances(f"{__name__}.{Kept.__qualname__}")


def test_resident_memory_is_that_of_this_process() -> None:
    """A block that is written to shows."""
    before = resident_bytes()
    block = bytearray(b"x") * (64 << 20)
    assert resident_bytes() - before == pytest.approx(len(block), rel=0.5)
