"""What the benchmarks share: rounds in turn, medians with their spread, JSON and a table.

Machines are noisy, so every contestant runs in every round, and only ratios of medians taken in one run are compared.
"""

import asyncio
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs

GUESTS = Path(__file__).parent.parent / "tests" / "guests"
RESULTS = Path(__file__).parent / "results"

QUICK = "--quick" in sys.argv
"""Whether figures may be rough: to see that all runs, not to be quoted."""

SECONDS, ROUNDS = (0.02, 3) if QUICK else (0.3, 7)

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


@attrs.frozen
class Target:
    """A question that has a number for an answer, and what the answer should be at most, or at least; None: any.

    `reached` allows for nothing: noise is the reader's to judge, by the spread.
    """

    question: str
    peer: str
    value: float
    bound: float | None
    at_most: bool = True
    unit: str = "times"

    @property
    def reached(self) -> bool:
        """Whether the bound is kept."""
        if self.bound is None:
            return True
        return self.value <= self.bound if self.at_most else self.value >= self.bound


async def race(
    contestants: Mapping[str, Contestant], *, seconds: float = SECONDS, rounds: int = ROUNDS
) -> dict[str, Figure]:
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


def write(name: str, results: Any, targets: Sequence[Target] = ()) -> Path:
    """Write a benchmark's figures, with what they were taken on, to `results/<name>.json`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    kept = [attrs.asdict(target) | {"reached": target.reached} for target in targets]
    content = {"machine": machine(), "quick": QUICK, "results": results, "targets": kept}
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def machine() -> dict[str, Any]:
    """What figures were taken on."""
    return {
        "python": platform.python_version(),
        "wasmtime": version("wasmtime"),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


def tell(name: str, results: Any, targets: Sequence[Target]) -> None:
    """Print the targets and write everything."""
    rows = [(t.question, t.peer, t.value, bound_of(t), "yes" if t.reached else "no") for t in targets]
    show(table(("question", "beside", "reached", "target", "kept"), rows))
    show(f"written to {write(name, results, targets)}")


def bound_of(target: Target) -> str:
    """A target in words."""
    if target.bound is None:
        return "to be known"
    return f"{'at most' if target.at_most else 'at least'} {target.bound:g} {target.unit}"


def figures_of(figures: Mapping[str, Figure]) -> dict[str, dict[str, float]]:
    """Figures as JSON."""
    return {name: attrs.asdict(figure) for name, figure in figures.items()}


def repeated(run: Callable[[], Awaitable[Any]]) -> Contestant:
    """The contestant that does it so many times, one after the other."""

    async def contestant(count: int) -> None:
        for _ in range(count):
            await run()

    return contestant


def repeated_call(run: Callable[[], Any]) -> Contestant:
    """The same of what is not to be awaited."""

    async def contestant(count: int) -> None:
        for _ in range(count):
            run()

    return contestant


def run_main(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a script's main on asyncio, or with `--uvloop` on uvloop."""
    if "--uvloop" in sys.argv:
        import uvloop  # noqa: PLC0415 - only who asks for it needs it

        uvloop.run(main())
    else:
        asyncio.run(main())


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
