"""`airssys-wasm bench X.wasm | PIPELINE.toml`: what a message costs, and what a change made of it."""

from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console

from airssys_wasm.cli.bench_view import PhaseView, show_comparison, show_report
from airssys_wasm.cli.outcome import Code, Debug, told
from airssys_wasm.core.config import Execution
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.system.bench import bench_component, bench_pipeline
from airssys_wasm.system.bench_compare import compare
from airssys_wasm.system.bench_result import Report
from airssys_wasm.system.bench_spec import Arrivals, BenchSpec, PayloadKind

_SUFFIXES = {".wasm": bench_component, ".toml": bench_pipeline}


def bench(
    file: Annotated[
        Path, typer.Argument(metavar="X.wasm|PIPELINE.toml|RESULT.json", help="A component, a pipeline, or a result.")
    ],
    *,
    size: Annotated[list[int] | None, typer.Option("--size", "-s", help="Bytes of a payload; repeatable. [64]")] = None,
    payload: Annotated[PayloadKind, typer.Option(help="What payloads are made of.")] = PayloadKind.RANDOM,
    lines: Annotated[Path | None, typer.Option("--input", "-i", help="Send the lines of this file, in turn.")] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", help="Askers at a time.")] = 1,
    rate: Annotated[
        float | None, typer.Option("--rate", "-r", help="Messages a second, answered or not: an open loop.")
    ] = None,
    arrivals: Annotated[Arrivals, typer.Option(help="Distances between messages of an open loop.")] = Arrivals.EVEN,
    actors: Annotated[int, typer.Option("--actors", "-a", help="Instances of the component, asked in turn.")] = 1,
    warm_up: Annotated[float, typer.Option(help="Seconds before it counts.")] = 1.0,
    duration: Annotated[float, typer.Option("--duration", "-d", help="Seconds that count, for each size.")] = 5.0,
    execution: Annotated[Execution, typer.Option(help="Where guest calls run.")] = Execution.AUTO,
    config: Annotated[str | None, typer.Option(help="Configuration for the component's initialize.")] = None,
    fuel: Annotated[bool, typer.Option("--fuel", help="Count the fuel of a message too.")] = False,
    uvloop: Annotated[bool, typer.Option("--uvloop", help="Run on uvloop.")] = False,
    to_json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    before: Annotated[
        Path | None, typer.Option("--compare", metavar="BEFORE.json", help="Compare with an earlier result.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Measure a component or a pipeline: latency, throughput, gaps of the event loop, memory.

    Closed loop: each asker sends when it has its answer. Open loop (--rate): messages are due at fixed times and their
    latency counts from then, so that a stall shows in all that it delayed. A pipeline's latency is that of a message's
    journey through all stages; its sources are not read and its sinks not written.

    Two results are compared by `airssys-wasm bench AFTER.json --compare BEFORE.json`. Exit code 1 when messages failed.
    """
    with told(debug=debug):
        earlier = None if before is None else _read(before)
        _check_folder(to_json)
        spec = BenchSpec(
            sizes=tuple(size or [64]),
            kind=payload,
            lines=_lines(lines),
            concurrency=concurrency,
            rate=rate,
            arrivals=arrivals,
            actors=actors,
            warm_up=warm_up,
            duration=duration,
            execution=execution,
            config=config,
            fuel=fuel,
        )
        report = _read(file) if file.suffix == ".json" else _measured(file, spec, uvloop=uvloop)
        show_report(report)
        if to_json is not None:
            to_json.write_text(report.to_json(), encoding="utf-8")
    if earlier is not None:
        show_comparison(compare(earlier, report))
    if any(scenario.errors or scenario.unanswered for scenario in report.scenarios):
        raise typer.Exit(Code.FAILED)


def _measured(file: Path, spec: BenchSpec, *, uvloop: bool) -> Report:
    measure = _SUFFIXES.get(file.suffix)
    if measure is None:
        raise ConfigError("FILE", str(file), "is none of X.wasm, PIPELINE.toml and RESULT.json")
    try:
        with PhaseView(Console(stderr=True)) as view:
            return anyio.run(measure, file, spec, view.show, backend_options={"use_uvloop": uvloop})
    except ModuleNotFoundError as exc:
        raise ConfigError("--uvloop", exc.name, "needs a package that is not installed") from exc


def _check_folder(file: Path | None) -> None:
    """Know before minutes of measuring that the result could not be written."""
    if file is not None and not file.parent.is_dir():
        raise ConfigError("--json", str(file), "is in no folder that exists")


def _read(file: Path) -> Report:
    return Report.from_json(str(file), file.read_text(encoding="utf-8"))


def _lines(file: Path | None) -> tuple[bytes, ...]:
    if file is None:
        return ()
    found = tuple(file.read_bytes().splitlines())
    if not found:
        raise ConfigError("--input", str(file), "has no line")
    return found
