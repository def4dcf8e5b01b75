"""What the benchmarks share: rounds in turn, medians with their spread, JSON and a table.

Machines are noisy, so every contestant runs in every round, and only ratios of medians taken in one run are compared.
"""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs

GUESTS = Path(__file__).parent.parent / "tests" / "guests"
RESULTS = Path(__file__).parent / "results"

Contestant = Callable[[int], Awaitable[None]]
"""Runs the operation that many times."""


@attrs.frozen
class Figure:
    """Microseconds an operation: the median of the rounds, and the first and last quartile."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Figure":
        """Summarise one sample a round."""
        low, middle, high = statistics.quantiles(samples, n=4) if len(samples) > 1 else (samples[0],) * 3
        return cls(median=middle, low=low, high=high)


async def race(contestants: Mapping[str, Contestant], *, seconds: float = 0.3, rounds: int = 7) -> dict[str, Figure]:
    """Run all contestants in turn, several rounds, each for about that many seconds a round."""
    counts = {name: await _count_for(run, seconds) for name, run in contestants.items()}
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            started = time.perf_counter()
            await run(counts[name])
            samples[name].append((time.perf_counter() - started) / counts[name] * 1e6)
    return {name: Figure.of(taken) for name, taken in samples.items()}


async def _count_for(run: Contestant, seconds: float) -> int:
    """Warm up, and find how many operations fill a round."""
    count = 1
    while True:
        started = time.perf_counter()
        await run(count)
        spent = time.perf_counter() - started
        if spent > seconds / 4:
            return max(1, round(count * seconds / spent))
        count *= 4


def write(name: str, results: Any) -> Path:
    """Write a benchmark's figures, with what they were taken on, to `results/<name>.json`."""
    machine = {
        "python": platform.python_version(),
        "wasmtime": version("wasmtime"),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")
    return path


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table with aligned columns."""
    cells = [list(columns), *([f"{c:.4g}" if isinstance(c, float) else str(c) for c in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    lines = [
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(lines)


def show(text: str) -> None:
    """Print to the terminal."""
    sys.stdout.write(text + "\n")
