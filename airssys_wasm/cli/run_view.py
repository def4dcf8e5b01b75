"""What `run` shows on stderr: a progress bar and, at the end, a summary and what was learned."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Self, final

import rich.box
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from airssys_wasm.cli.outcome import say
from airssys_wasm.core.observations import Compilation
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
        text += "".join(f"; compiling {_shown(each)}" for each in progress.compiling)
        self._bar.update(self._task, completed=progress.bytes_read, total=progress.total_bytes, description=text)


def _shown(compilation: Compilation) -> str:
    """Its file, size and time."""
    return f"{Path(compilation.source).name}, {decimal(compilation.size)}, {compilation.seconds:.0f} s"


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
    if summary.dead_letters:
        letters = sorted(summary.dead_letters.items())
        console.print(f"dead letters: {', '.join(f'{count:,} {reason}' for reason, count in letters)}", soft_wrap=True)
    if summary.denied:
        say(f"{summary.denied:,} messages of components were denied; `run --learn` shows which grants are missing")
    for text in summary.samples:
        say(f"error: {text}")
    if summary.failure is not None:
        say(summary.failure)


def give_grants(summary: PipelineSummary, file: Path, to: Path | None) -> None:
    """Write what was learned to a file, or to stderr.

    Raises:
        OSError: The file cannot be written; the grants are on stderr.
    """
    text = _grants_text(summary, file)
    if to is None:
        sys.stderr.write(text)
        return
    try:
        to.write_text(text, encoding="utf-8")
    except OSError:
        sys.stderr.write(text)
        raise
    say(f"the grants that were needed are in {to}")


def _grants_text(summary: PipelineSummary, file: Path) -> str:
    """Grants as TOML, comments included, so that all of it can be pasted."""
    head = f"# The least grants for this run of {file.name!a}; put them there in place of those that it has.\n"
    if summary.drained or summary.failure is not None:
        head += "# The run ended before its input did: more may be needed.\n"
    return head + (summary.learned or "# None: no component sent anything by itself or used its storage.\n")


def _stages(summary: PipelineSummary) -> Table:
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for title in ("stage", "messages", "answers", "errors", "restarts", "time", "of the run"):
        table.add_column(title, justify="left" if title == "stage" else "right", no_wrap=True)
    for stage in summary.stages:
        share = stage.seconds / summary.seconds if summary.seconds else 0.0
        numbers = (f"{number:,}" for number in (stage.messages, stage.answers, stage.errors, stage.restarts))
        table.add_row(stage.id, *numbers, f"{stage.seconds:.2f} s", f"{share:.0%}")
    return table
