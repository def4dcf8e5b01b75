"""What `run` shows on stderr: a progress bar and, at the end, a summary."""

from types import TracebackType
from typing import Self, final

import rich.box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from airssys_wasm.cli.outcome import say
from airssys_wasm.system.pipeline_summary import PipelineSummary
from airssys_wasm.system.pipeline_summary import Progress as PipelineProgress


@final
class ProgressView:
    """A progress bar while it is entered; gone afterwards."""

    def __init__(self, console: Console) -> None:
        columns = (
            SpinnerColumn(),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, progress: PipelineProgress) -> None:
        """Show where the run is."""
        text = f"{progress.messages:,} messages, {progress.errors:,} errors"
        self._bar.update(self._task, completed=progress.bytes_read, total=progress.total_bytes, description=text)


def show_summary(summary: PipelineSummary) -> None:
    """What was done, by whom, and what went wrong."""
    console = Console(stderr=True, highlight=False)
    console.print(_stages(summary))
    ended = " (stopped early)" if summary.drained else ""
    console.print(
        f"{summary.messages:,} messages in {summary.seconds:.2f} s ({summary.rate:,.0f}/s){ended}; "
        f"{summary.results:,} results, {summary.errors:,} errors, {summary.lost:,} lost, {summary.restarts:,} restarts",
        soft_wrap=True,
    )
    for text in summary.samples:
        say(f"error: {text}")
    if summary.failure is not None:
        say(summary.failure)


def _stages(summary: PipelineSummary) -> Table:
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for title in ("stage", "messages", "answers", "errors", "restarts", "time", "of the run"):
        table.add_column(title, justify="left" if title == "stage" else "right", no_wrap=True)
    for stage in summary.stages:
        share = stage.seconds / summary.seconds if summary.seconds else 0.0
        numbers = (f"{number:,}" for number in (stage.messages, stage.answers, stage.errors, stage.restarts))
        table.add_row(stage.id, *numbers, f"{stage.seconds:.2f} s", f"{share:.0%}")
    return table
