"""Fills the compile cache ahead of time, so that the first start of a component is as quick as every other one."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, final

import attrs

from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.limits import Limits
from airssys_wasm.runtime.machine import SMALL_MEMORY_BYTES, Profile
from airssys_wasm.system.builder import WasmtimeEngine
from airssys_wasm.system.pipeline_open import open_pipeline

_PIPELINE: Final = ".toml"


@final
@attrs.frozen
class Wanted:
    """One component to be compiled, for the engine that its limits ask for."""

    file: Path
    limits: Limits

    @property
    def kind(self) -> str:
        """Of code: "plain", "metered", "small-plain" or "small-metered"."""
        return str(Profile.of(self.limits))


@final
@attrs.frozen
class Precompiled:
    """What came of it: it was compiled, or was in the cache; unless it is `kept` there, `problem` may say why."""

    wanted: Wanted
    seconds: float
    was_there: bool = False
    problem: AirssysError | None = None
    kept: bool = True


async def wanted_of(files: Sequence[Path], *, metered: bool = False) -> list[Wanted]:
    """What there is to compile: the files, and of a pipeline its components as they will run there.

    Raises:
        PipelineInvalid: All that is wrong with a pipeline.
    """
    found: dict[Wanted, None] = {}
    for file in files:
        if file.suffix == _PIPELINE:
            specs = (await open_pipeline(file)).components
            found |= {Wanted(spec.path, _as_compiled(spec.limits)): None for spec in specs}
        else:
            found[Wanted(file, Limits(max_fuel=1 if metered else None))] = None
    return list(found)


def _as_compiled(limits: Limits) -> Limits:
    """What of a component's limits matters to compiling it, so that the same work is not done twice."""
    profile, base = Profile.of(limits), Limits()
    return attrs.evolve(
        base,
        max_fuel=1 if profile.metered else None,
        max_memory_bytes=SMALL_MEMORY_BYTES if profile.small else base.max_memory_bytes,
        max_component_bytes=limits.max_component_bytes,
    )


async def precompile(wanted: Sequence[Wanted]) -> AsyncIterator[Precompiled]:
    """Compile one after the other, each on all cores, off the event loop; yields each as it is done.

    Cancellation: what is being compiled goes on in its thread and is dropped.
    """
    async with WasmtimeEngine() as engine:
        for one in wanted:
            yield await _precompile(engine, one)


async def _precompile(engine: WasmtimeEngine, wanted: Wanted) -> Precompiled:
    started, before = time.perf_counter(), engine.cache_statistics
    try:
        await engine.compile(wanted.file, wanted.limits)
    except AirssysError as exc:
        return Precompiled(wanted, time.perf_counter() - started, problem=exc, kept=False)
    done = engine.cache_statistics - before
    seconds = time.perf_counter() - started
    return Precompiled(
        wanted, seconds, was_there=bool(done.hits and not done.written), kept=bool(done.hits or done.written)
    )
