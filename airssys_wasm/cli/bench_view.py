"""What `bench` shows: where it is, its figures, and two results beside each other."""

from types import TracebackType
from typing import Self, final

import rich.box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from airssys_wasm.core.limits import KIB, MIB
from airssys_wasm.system.bench_compare import Comparison, Row
from airssys_wasm.system.bench_result import Latency, Report, Scenario

_REFRESHES_A_SECOND = 2  # the view runs in a thread, beside what is measured
_WIDTH = 132
_ENOUGH_ACTORS = 100  # with fewer, what the first message of any kind takes hides what an actor takes
_LATENCIES = ("p50", "p90", "p99", "p99.9", "longest")


@final
class PhaseView:
    """One line that says what is being measured, on a terminal only; gone afterwards."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(), BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._bar = Progress(
            *columns,
            console=console,
            transient=True,
            refresh_per_second=_REFRESHES_A_SECOND,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("loading", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, what: str, seconds: float) -> None:
        """Show what begins now."""
        self._bar.update(self._task, description=f"{what} ({seconds:g} s)")


def show_report(report: Report) -> None:
    """Figures of each scenario, and of a pipeline's stages."""
    console = _console()
    console.print(f"{report.subject}: " + ", ".join(f"{name} {value}" for name, value in report.machine.items()))
    console.print(_latencies(report))
    console.print(_gauges(report))
    if any(scenario.stages for scenario in report.scenarios):
        console.print(_stages(report))
    for scenario in report.scenarios:
        for error, count in sorted(scenario.errors.items()):
            console.print(f"{scenario.name}: {count:,} ended in {error}")
        if scenario.unanswered:
            console.print(f"{scenario.name}: {scenario.unanswered:,} had no answer in time: the rate is too high")


def show_comparison(comparison: Comparison) -> None:
    """Ratios and what to make of them."""
    console = _console()
    table = _table("after : before", "throughput", "p50", "p99", "p99.9", "fuel", "noise", "so it is")
    for row in comparison.rows:
        table.add_row(*_ratios(row))
    console.print(table)
    for note in comparison.notes:
        console.print(f"note: {note}")


def _ratios(row: Row) -> tuple[str, ...]:
    fuel = "" if row.fuel is None else f"{row.fuel:.2f}"
    ratios = (f"{ratio:.2f}" for ratio in (row.throughput, row.p50, row.p99, row.p99_9))
    return (row.name, *ratios, fuel, f"± {row.noise:.0%}", row.verdict)


def _console() -> Console:
    """Of the terminal's width; into a file, wide enough for a table."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH)


def _table(first: str, *columns: str) -> Table:
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, justify="left")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _latencies(report: Report) -> Table:
    table = _table("load", "messages", "a second", "spread", *(f"{name} µs" for name in _LATENCIES))
    for scenario in report.scenarios:
        rate = f"{scenario.throughput:,.0f}"
        table.add_row(
            scenario.name, f"{scenario.messages:,}", rate, f"± {scenario.spread / 2:.0%}", *_shown(scenario.latency)
        )
    return table


def _gauges(report: Report) -> Table:
    table = _table(
        "load", "loop gap p50", "p99", "longest ms", "guest", "loaded MiB", "most MiB", "an actor KiB", "fuel"
    )
    actors = int(report.settings.get("actors", 1))
    for scenario in report.scenarios:
        table.add_row(scenario.name, *_gauge_cells(scenario, actors))
    return table


def _gauge_cells(scenario: Scenario, actors: int) -> tuple[str, ...]:
    seen = scenario.gauges
    gaps = (seen.loop_gap_p50_ms, seen.loop_gap_p99_ms, seen.loop_gap_longest_ms)
    each = (seen.resident_loaded - seen.resident_before) / actors / KIB
    per_actor = f"{each:,.0f}" if actors >= _ENOUGH_ACTORS else ""
    return (
        *(f"{gap:.2f}" for gap in gaps),
        f"{scenario.guest_share:.0%}",
        *(f"{size / MIB:.1f}" for size in (seen.resident_loaded, seen.resident_most)),
        per_actor,
        "" if scenario.fuel is None else f"{scenario.fuel:,.0f}",
    )


def _stages(report: Report) -> Table:
    table = _table("load", "stage", "messages", "guest", *(f"{name} µs" for name in _LATENCIES))
    for scenario in report.scenarios:
        for stage in scenario.stages:
            cells = (stage.id, f"{stage.messages:,}", f"{stage.guest_share:.0%}")
            table.add_row(scenario.name, *cells, *_shown(stage.latency))
    return table


def _shown(latency: Latency) -> tuple[str, ...]:
    times = (latency.p50, latency.p90, latency.p99, latency.p99_9, latency.longest)
    return tuple(f"{time:,.1f}" if time < 1000 else f"{time:,.0f}" for time in times)  # noqa: PLR2004 - a millisecond
