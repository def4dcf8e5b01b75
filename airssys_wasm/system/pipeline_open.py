"""From the path of a pipeline file to a plan, or to everything that is wrong with it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import anyio.to_thread
import attrs

from airssys_wasm.core.errors import AirssysError, PipelineInvalid
from airssys_wasm.core.problems import Problem
from airssys_wasm.system.pipeline_file import parse_pipeline
from airssys_wasm.system.pipeline_plan import Plan, plan_pipeline
from airssys_wasm.system.pipeline_spec import ComponentSpec, PipelineSpec, SinkKind, SinkSpec, SourceKind, SourceSpec
from airssys_wasm.system.pipeline_stage import load_stage, system_for
from airssys_wasm.system.system import ActorSystem

STANDARD_STREAM: Final = Path("-")
"""As `--input` or `--output`: stdin or stdout."""


async def open_pipeline(file: Path, *, input: Path | None = None, output: Path | None = None) -> Plan:  # noqa: A002 - as the command line calls it
    """Read, check and plan a pipeline.

    Args:
        file: the TOML file.
        input: replaces stdin, or else the only source; a directory is read file by file, `-` is stdin. None: as the
            file says.
        output: replaces stdout, or else the only sink; `-` is stdout. None: as the file says.

    Returns:
        A plan that can be run; its components have not been looked into yet.

    Raises:
        PipelineInvalid: All that is wrong with it.

    Cancellation: nothing has happened.
    """
    return await anyio.to_thread.run_sync(_open, file, input, output)


async def check_components(plan: Plan) -> None:
    """Look into each component of a plan: it has to fit the contract, and to say whether it can be split up.

    A component with several instances and no key is started once, with its configuration and an empty storage, to
    ask it whether it is stateful; no other one is started.

    Raises:
        PipelineInvalid: All that is wrong with the components.
    """
    file = plan.spec.file
    problems: list[Problem] = []
    async with system_for(attrs.evolve(plan, spec=attrs.evolve(plan.spec, storage=None, audit=None))) as system:
        for component in plan.spec.components:
            problems += await _component_problems(system, component, file)
    if problems:
        raise PipelineInvalid(file, problems)


async def _component_problems(system: ActorSystem, spec: ComponentSpec, file: str) -> Sequence[Problem]:
    try:
        report = await system.inspect(spec.path)
        if report.fits and spec.instances > 1 and spec.key is None:
            await load_stage(system, attrs.evolve(spec, instances=2), file)
    except PipelineInvalid as exc:
        return exc.problems
    except AirssysError as exc:
        return [Problem(file, spec.table, "path", str(exc))]
    return [Problem(file, spec.table, "path", f"{spec.path}: {text}") for text in report.problems]


def _open(file: Path, new_input: Path | None, new_output: Path | None) -> Plan:
    try:
        draft = parse_pipeline(file.read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError) as exc:
        text = f"cannot be read: {exc.strerror if isinstance(exc, OSError) else exc}"
        raise PipelineInvalid(file.name, [Problem(str(file), "", "", text)]) from exc
    spec, replacing = _replaced(draft.spec, new_input, new_output)
    plan, planning = plan_pipeline(spec)
    problems = [*draft.problems, *replacing, *planning, *_file_problems(spec)]
    if problems:
        raise PipelineInvalid(spec.file, problems)
    return plan


def _replaced(
    spec: PipelineSpec, new_input: Path | None, new_output: Path | None
) -> tuple[PipelineSpec, list[Problem]]:
    """The spec with the ends that the command line gave."""
    problems: list[Problem] = []
    if new_input is not None:
        chosen = [end for end in spec.sources if end.kind is SourceKind.STDIN] or spec.sources
        if len(chosen) == 1:
            sources = [_source_at(end, new_input) if end is chosen[0] else end for end in spec.sources]
            spec = attrs.evolve(spec, sources=tuple(sources))
        else:
            problems.append(_which(spec, "--input", "source", "stdin"))
    if new_output is not None:
        outs = [end for end in spec.sinks if end.kind is SinkKind.STDOUT] or spec.sinks
        if len(outs) == 1:
            sinks = [_sink_at(end, new_output) if end is outs[0] else end for end in spec.sinks]
            spec = attrs.evolve(spec, sinks=tuple(sinks))
        else:
            problems.append(_which(spec, "--output", "sink", "stdout"))
    return spec, problems


def _which(spec: PipelineSpec, option: str, ends: str, kind: str) -> Problem:
    return Problem(spec.file, option, "", f'there is neither one [[{ends}]] of kind = "{kind}" nor only one [[{ends}]]')


def _source_at(source: SourceSpec, path: Path) -> SourceSpec:
    if path == STANDARD_STREAM:
        return attrs.evolve(source, kind=SourceKind.STDIN, path=None)
    return attrs.evolve(source, kind=SourceKind.DIRECTORY if path.is_dir() else SourceKind.FILE, path=path)


def _sink_at(sink: SinkSpec, path: Path) -> SinkSpec:
    if path == STANDARD_STREAM:
        return attrs.evolve(sink, kind=SinkKind.STDOUT, path=None)
    return attrs.evolve(sink, kind=SinkKind.FILE, path=path)


def _file_problems(spec: PipelineSpec) -> Iterator[Problem]:
    """What is not where the file says; paths that could not be read have their problem already."""
    for source in spec.sources:
        if source.path is not None:
            directory = source.kind is SourceKind.DIRECTORY
            yield from _missing(spec, source.table, source.path, directory=directory)
    for component in spec.components:
        if component.path != Path():
            yield from _missing(spec, component.table, component.path, directory=False)
    written = [(sink.table, "path", sink.path) for sink in spec.sinks]
    written += [("[pipeline]", "storage", spec.storage), ("[pipeline]", "audit", spec.audit)]
    for table, key, path in written:
        if path is not None:
            yield from _unwritable(spec, table, path, key)


def _unwritable(spec: PipelineSpec, table: str, path: Path, key: str) -> Iterator[Problem]:
    if path.is_dir():
        yield Problem(spec.file, table, key, f"is a directory: {path}")
    else:
        yield from _missing(spec, table, path.parent, directory=True, key=key)


def _missing(spec: PipelineSpec, table: str, path: Path, *, directory: bool, key: str = "path") -> Iterator[Problem]:
    if not path.exists():
        yield Problem(spec.file, table, key, f"there is no {'directory' if directory else 'file'} {path}")
    elif path.is_dir() is not directory:
        yield Problem(spec.file, table, key, f"is {'no' if directory else 'a'} directory: {path}")
