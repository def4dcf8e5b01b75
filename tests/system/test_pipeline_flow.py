"""Pipelines under way: back-pressure, draining, sinks and sources that fail, a large log."""

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import anyio
import anyio.to_thread
import pytest

from airssys_wasm import ComponentId
from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_channel import CAPACITY_BYTES
from airssys_wasm.system.pipeline_io import CHUNK_BYTES
from airssys_wasm.system.pipeline_open import open_pipeline
from airssys_wasm.testing.leaks import resident_bytes
from tests.contract.stage import until
from tests.system.pipelines import LOGS, component, opened, results, run, write

ECHO = component("x/a", "echo")
LINE = b"x" * 999
MIB = 2**20


async def until_still(pipeline: Pipeline) -> int:
    """Wait until a run reads no more; how many bytes it has read."""
    before = -1
    while not 0 < before == pipeline.progress().bytes_read:
        before = pipeline.progress().bytes_read
        await anyio.sleep(0.3)
    return before


async def test_a_sink_that_nobody_reads_stops_the_reading(tmp_path: Path) -> None:
    """Back-pressure reaches the source and memory stays flat; when the reader comes back, nothing is missing."""
    os.mkfifo(tmp_path / "out.txt")
    pipeline = await opened(tmp_path, "", "in > out", [LINE] * 100_000)
    read: list[int] = []
    descriptor = os.open(tmp_path / "out.txt", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    thread = threading.Thread(target=lambda: read.append(count_bytes(descriptor)))
    async with anyio.create_task_group() as group:
        group.start_soon(pipeline.run)
        before = resident_bytes()
        taken = await until_still(pipeline)
        grown = resident_bytes() - before
        thread.start()
    await anyio.to_thread.run_sync(thread.join)
    os.close(descriptor)
    assert taken < 4 * CAPACITY_BYTES
    assert grown < 6 * CAPACITY_BYTES
    assert read == [100_000 * 1000]


def count_bytes(descriptor: int) -> int:
    """Read to the end."""
    total = 0
    while chunk := os.read(descriptor, MIB):
        total += len(chunk)
    return total


async def test_a_slow_last_stage_holds_up_the_source(tmp_path: Path) -> None:
    """A stage that sleeps: what is read ahead is bounded by the channels, not by the input, and memory with it."""
    stages = ECHO + component("x/h", "hostile")
    pipeline = await opened(tmp_path, stages, "in > x/a > x/h > out", [b"sleep 500"] * 400_000)
    async with anyio.create_task_group() as group:
        group.start_soon(pipeline.run)
        await until_still(pipeline)
        before = resident_bytes()
        taken = await until_still(pipeline)
        assert taken <= 2 * CHUNK_BYTES
        assert resident_bytes() - before < MIB
        group.cancel_scope.cancel()


async def test_drain_finishes_what_is_under_way_and_flushes(tmp_path: Path) -> None:
    """As if the input had ended: nothing that was read is lost, and it comes out in order."""
    pipeline = await opened(tmp_path, ECHO, "in > x/a > out", [b"%d" % number for number in range(200_000)])
    async with anyio.create_task_group() as group:
        group.start_soon(drain_after, pipeline, 1000)
        summary = await pipeline.run()
        assert (True, True, summary.messages) == (summary.drained, summary.ok, summary.results)
        assert [b"%d" % number for number in range(summary.results)] == results(tmp_path)
        assert 1000 <= summary.messages < 200_000


async def drain_after(pipeline: Pipeline, messages: int) -> None:
    """Stop the reading once so many messages were read."""
    while pipeline.progress().messages < messages:  # noqa: ASYNC110 - a run has no event for it
        await anyio.sleep(0.001)
    pipeline.drain()


async def test_a_drain_before_the_run_reads_nothing(tmp_path: Path) -> None:
    """A signal may come while components are still being compiled."""
    pipeline = await opened(tmp_path, ECHO, "in > x/a > out", [b"1"])
    pipeline.drain()
    summary = await pipeline.run()
    assert (0, True) == (summary.messages, summary.drained)


@pytest.mark.parametrize("supervised", ["", '[[supervisor]]\nname = "app"\nchildren = ["x/a", "x/h"]\n'])
async def test_a_drain_while_components_start_gives_that_up(tmp_path: Path, supervised: str) -> None:
    """One is in an endless `initialize`; the one that had started is shut down, nothing is read, nothing has failed."""
    looping = component("x/h", "hostile", 'config = "init-loop"\n[component.limits]\nmax_execution_time = 1000')
    first = component("x/a", "echo")
    pipeline = await opened(tmp_path, first + looping, "in > x/a > x/h > out", [b"1"], supervised)
    running = asyncio.create_task(pipeline.run())
    started = ComponentId("x", "a", "0")
    await until(lambda: bool(pipeline.system and pipeline.system.get(started)))
    pipeline.drain()
    summary = await asyncio.wait_for(running, 60)
    assert (0, True, True) == (summary.messages, summary.drained, summary.ok)


async def test_a_full_disk_ends_the_run_and_says_so(tmp_path: Path) -> None:
    """No exception out of a task, no waiting for ever."""
    file = write(tmp_path, ECHO, "in > x/a > out", [LINE] * 20_000)
    summary = await Pipeline(await open_pipeline(file, output=Path("/dev/full"))).run()
    assert (summary.failure, summary.ok) == ("cannot write /dev/full: No space left on device", False)


async def test_a_sink_that_cannot_be_made_ends_the_run_before_anything_is_read(tmp_path: Path) -> None:
    """Its folder may have gone since it was checked."""
    pipeline = await opened(tmp_path, ECHO, "in > x/a > out", [LINE])
    (tmp_path / "out.txt").mkdir()
    summary = await pipeline.run()
    assert (summary.failure, 0) == (f"cannot write {tmp_path}/out.txt: Is a directory", summary.messages)


async def test_a_source_that_has_gone_ends_the_run(tmp_path: Path) -> None:
    """It may have gone since it was checked."""
    pipeline = await opened(tmp_path, ECHO, "in > x/a > out", [LINE])
    (tmp_path / "in.txt").unlink()
    summary = await pipeline.run()
    assert summary.failure == f"cannot read {tmp_path}/in.txt: No such file or directory"


async def test_cancelling_a_run_leaves_nothing_behind(tmp_path: Path) -> None:
    """Tasks, threads and files are gone; the fixtures look for them."""
    pipeline = await opened(tmp_path, ECHO, "in > x/a > out", [LINE] * 50_000)
    with anyio.move_on_after(0.3) as scope:
        await pipeline.run()
    assert scope.cancelled_caught


async def test_cancelling_a_run_does_not_wait_for_a_silent_source_or_a_sleeping_reader(tmp_path: Path) -> None:
    """Threads wait for both; neither may hold up the end."""
    pipeline = await opened(tmp_path, ECHO, "in > x/a, in > out", [])
    (tmp_path / "in.txt").unlink()
    for name in ("in.txt", "out.txt"):
        os.mkfifo(tmp_path / name)
    descriptors = [os.open(tmp_path / "out.txt", os.O_RDONLY | os.O_NONBLOCK), os.open(tmp_path / "in.txt", os.O_RDWR)]
    with anyio.move_on_after(20) as outer:
        async with anyio.create_task_group() as group:
            group.start_soon(pipeline.run)
            for _ in range(200):
                await anyio.to_thread.run_sync(os.write, descriptors[1], LINE + b"\n")
            await until_still(pipeline)
            group.cancel_scope.cancel()
    for descriptor in descriptors:
        os.close(descriptor)
    assert not outer.cancelled_caught
    assert pipeline.progress().messages == 200


async def test_a_directory_of_whole_files(tmp_path: Path) -> None:
    """One message a file, by name."""
    (tmp_path / "d").mkdir()
    for name, text in (("2", "two\n"), ("1", "one\n"), ("3", "")):
        (tmp_path / "d" / name).write_text(text)
    more = '[[source]]\nname = "d"\nkind = "directory"\npath = "d"\nframing = "block"\n'
    _, found = await run(tmp_path, more + ECHO, "in > x/a > out, d > x/a")
    assert [b"one", b"", b"two", b"", b""] == found


def load_module(path: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_report_of_a_log_is_what_an_independent_count_says(tmp_path: Path) -> None:
    """Three stages in C against regular expressions in Python; a malformed line is one error, nothing more."""
    lines = 500
    log = tmp_path / "access.log"
    command = [sys.executable, str(LOGS / "generate.py"), str(lines), "--malformed", "0.01"]
    log.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: ASYNC221 - before the run
    plan = await open_pipeline(LOGS / "pipeline.toml", input=log, output=tmp_path / "report.json")
    summary = await Pipeline(plan).run()
    expected, malformed = load_module(LOGS / "expected.py").expected(log.read_bytes().split(b"\n")[:-1])
    assert expected == json.loads((tmp_path / "report.json").read_bytes())
    assert (lines, malformed, 0, 1) == (summary.messages, summary.errors, summary.lost, summary.results)
    assert malformed > 0
