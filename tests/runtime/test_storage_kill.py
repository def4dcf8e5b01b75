"""`kill -9` in the middle of writing: what was acknowledged is there."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import StorageUsage
from airssys_wasm.runtime.storage import open_storage
from tests.runtime.storage_nursery import WRITERS, value_of

KILLS: Final = 20
ROOT: Final = Path(__file__).parents[2]

Nursery = subprocess.Popen[str]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """The program that makes the processes."""
    command = [sys.executable, "-m", "tests.runtime.storage_nursery"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        yield started
        assert started.stdin is not None
        started.stdin.close()


@pytest.mark.parametrize("run", range(KILLS))
async def test_nothing_acknowledged_is_missing_after_kill_9(nursery: Nursery, tmp_path: Path, run: int) -> None:
    """Every acknowledged key with its value, an overwritten key not older than acknowledged, and counts that agree."""
    path = tmp_path / "storage.db"
    acknowledged = kill_after(nursery, path, random.Random(run).randrange(1, 600))
    assert acknowledged
    storage = await open_storage(path)
    for writer in range(WRITERS):
        component = ComponentId("demo", "writer", str(writer))
        numbers = acknowledged.get(writer, [])
        assert [] == [n for n in numbers if value_of(writer, n) != await storage.get(component, f"key-{n}")]
        keys = await storage.list_keys(component)
        kept = {key: await storage.get(component, key) or b"" for key in keys}
        assert StorageUsage(sum(len(k) + len(v) for k, v in kept.items()), len(kept)) == await storage.usage(component)
        latest = int(kept["latest"].split(b"/")[1]) if "latest" in kept else -1
        assert latest >= max(numbers, default=-1)
    await storage.aclose()


def kill_after(nursery: Nursery, path: Path, writes: int) -> dict[int, list[int]]:
    """Have a process write until it has said so that many times, kill it; what each writer was told."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(f"{path}\n")
    nursery.stdin.flush()
    pid = int(nursery.stdout.readline())
    log = Path(f"{path}.acknowledged")
    while not log.exists() or log.read_bytes().count(b"\n") < writes:
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            time.sleep(0.001)
    told: dict[int, list[int]] = {}
    for line in log.read_text(encoding="ascii").splitlines():
        writer, number = line.split()
        told.setdefault(int(writer), []).append(int(number))
    return told
