"""`airssys-wasm run FILE.toml`: run a pipeline, show how far it is and what came of it."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Final

import anyio
import typer
from rich.console import Console

from airssys_wasm.cli.outcome import Code, Debug, say, told
from airssys_wasm.cli.run_view import ProgressView, give_grants, show_summary
from airssys_wasm.core.errors import AirssysError
from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_open import open_pipeline
from airssys_wasm.system.pipeline_spec import SinkKind
from airssys_wasm.system.pipeline_summary import PipelineSummary
from airssys_wasm.system.pipeline_watch import Watch

_REFRESH_SECONDS: Final = 0.1


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The pipeline.")],
    new_input: Annotated[
        Path | None, typer.Option("--input", "-i", help="Read this instead of stdin, or of the only source.")
    ] = None,
    new_output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write this instead of stdout, or of the only sink.")
    ] = None,
    *,
    learn: Annotated[
        bool,
        typer.Option(
            "--learn", help="Allow components everything but what policies forbid; at the end, show what they needed."
        ),
    ] = False,
    learn_to: Annotated[
        Path | None, typer.Option("--learn-to", help="As --learn, but write the grants to this file.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Upgrade components while they run when their files change.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Run a pipeline until its input ends. Exit code 1 when a message failed, 2 when the pipeline is wrong.

    SIGINT and SIGTERM stop the reading, let what is under way finish, and flush; a second one kills.

    With --learn the least grants that would have been enough are printed as TOML, after the summary, on stderr, since
    stdout may be a sink: put them into the pipeline in place of the grants that it has. What a component only looks at,
    list-components and get-component-metadata, is not learned.

    With --watch a component whose file changes is upgraded between two messages. A new version that does not start, or
    crashes at once, is reported, and the old one serves on.
    """
    with told(debug=debug):
        summary = anyio.run(_run, file, new_input, new_output, learn or learn_to is not None, watch)
        show_summary(summary)
        if summary.learned is not None:
            give_grants(summary, file, learn_to)
    if not summary.ok:
        raise typer.Exit(Code.FAILED)


async def _run(
    file: Path, new_input: Path | None, new_output: Path | None, learn: bool, watch: bool
) -> PipelineSummary:
    plan = await open_pipeline(file, input=new_input, output=new_output)
    pipeline = Pipeline(plan, learn)
    to_terminal = sys.stdout.isatty() and any(sink.kind is SinkKind.STDOUT for sink in plan.spec.sinks)
    outcome: PipelineSummary | AirssysError | OSError
    async with anyio.create_task_group() as beside:
        beside.start_soon(_heed_signals, pipeline)
        if sys.stderr.isatty() and not to_terminal:
            beside.start_soon(_show_progress, pipeline)
        if watch:
            beside.start_soon(Watch(pipeline, say).run)
        try:
            outcome = await pipeline.run()
        except (AirssysError, OSError) as exc:  # the task group would wrap it
            outcome = exc
        beside.cancel_scope.cancel()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def _heed_signals(pipeline: Pipeline) -> None:
    """The first signal drains, the second one ends the process the way it would without us."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        drained = False
        async for number in signals:
            if drained:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            drained = True
            say(f"{number.name}: finishing what is under way; once more to kill")
            pipeline.drain()


async def _show_progress(pipeline: Pipeline) -> None:
    with ProgressView(Console(stderr=True)) as view:
        while True:
            view.show(pipeline.progress())
            await anyio.sleep(_REFRESH_SECONDS)
