"""What does a pipeline of three stages cost a line, and the sandbox a stage? Beside the same in plain Python asyncio.

Both read a file of lines, pass each through three stages that echo, one after the other, and write a file. Ours is a
`Pipeline` of the echo guest; the peer is three tasks with bounded asyncio queues between them. The time of a run with
a single line, which is that of starting and stopping, is subtracted.
"""

import asyncio
import itertools
import random
import statistics
import string
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_open import open_pipeline
from benchmarks.harness import GUESTS, QUICK, Figure, Target, figures_of, run_main, show, table, tell

STAGES = 3
LINES = 2_000 if QUICK else 30_000
ROUNDS = 2 if QUICK else 5
LINE_BYTES = 100
CAPACITY = 128

Run = Callable[[Path, Path], Awaitable[None]]
"""Passes the lines of one file into another."""


def pipeline_file(folder: Path) -> Path:
    """A chain of echoes."""
    ends = ["in", *(f"echo/{n}" for n in range(STAGES)), "out"]
    text = '[[source]]\nname = "in"\nkind = "stdin"\n[[sink]]\nname = "out"\nkind = "stdout"\n'
    text += "".join(f'[[component]]\nid = "{name}"\npath = "{GUESTS / "echo.wasm"}"\n' for name in ends[1:-1])
    text += "".join(f'[[route]]\nfrom = "{a}"\nto = "{b}"\n' for a, b in itertools.pairwise(ends))
    file = folder / "pipeline.toml"
    file.write_text(text)
    return file


def ours(file: Path) -> Run:
    """The pipeline, as `airssys-wasm run` runs it."""

    async def run(source: Path, sink: Path) -> None:
        summary = await Pipeline(await open_pipeline(file, input=source, output=sink)).run()
        assert summary.ok

    return run


async def plain(source: Path, sink: Path) -> None:
    """Three tasks and bounded queues; None ends a stage and goes on to the next."""
    queues: list[asyncio.Queue[bytes | None]] = [asyncio.Queue(CAPACITY) for _ in range(STAGES + 1)]

    async def stage(number: int) -> None:
        while (line := await queues[number].get()) is not None:
            await queues[number + 1].put(line)
        await queues[number + 1].put(None)

    async def feed() -> None:
        with source.open("rb") as lines:
            for line in lines:
                await queues[0].put(line.rstrip(b"\n"))
        await queues[0].put(None)

    async def drain() -> None:
        with sink.open("wb") as out:
            while (line := await queues[-1].get()) is not None:
                out.write(line + b"\n")

    await asyncio.gather(feed(), drain(), *(stage(number) for number in range(STAGES)))


async def microseconds_a_line(run: Run, folder: Path) -> float:
    """A run of many lines, less a run of one."""
    seconds = []
    for source in ("many", "one"):
        started = time.perf_counter()
        await run(folder / source, folder / "out")
        seconds.append(time.perf_counter() - started)
        assert (folder / source).read_bytes() == (folder / "out").read_bytes()
    return (seconds[0] - seconds[1]) / (LINES - 1) * 1e6


async def main() -> None:
    """Run, print the tables, write the JSON."""
    contestants: dict[str, Run] = {"plain asyncio": plain}
    samples: dict[str, list[float]] = {"pipeline": [], "plain asyncio": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = ["".join(random.choices(string.ascii_letters, k=LINE_BYTES)) for _ in range(LINES)]
        (folder / "many").write_text("\n".join(lines) + "\n")
        (folder / "one").write_text(lines[0] + "\n")
        contestants["pipeline"] = ours(pipeline_file(folder))
        for _ in range(ROUNDS):
            for contestant, run in contestants.items():
                samples[contestant].append(await microseconds_a_line(run, folder))
    figures = {contestant: Figure.of(taken) for contestant, taken in samples.items()}
    median = {contestant: statistics.median(taken) for contestant, taken in samples.items()}
    sandbox = (median["pipeline"] - median["plain asyncio"]) / STAGES
    show(table(("", "µs a line"), [*median.items(), ("sandbox, a stage", sandbox)]))
    results: dict[str, Any] = figures_of(figures) | {"sandbox_us_a_stage": sandbox}
    question = f"pipeline of {STAGES} stages over lines"
    figure = Target(question, "plain Python asyncio", median["pipeline"] / median["plain asyncio"], None)
    tell("pipeline", results, [figure])


if __name__ == "__main__":
    run_main(main)
