"""Benchmarks a component or a pipeline: loads it, sends it messages, says what they cost."""

import asyncio
import hashlib
import os
import platform
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import anyio
import attrs

from airssys_wasm.runtime.compiled import require_contract
from airssys_wasm.system.bench_crew import Crew, Subject
from airssys_wasm.system.bench_gauges import Watch, resident_bytes
from airssys_wasm.system.bench_journey import Journey
from airssys_wasm.system.bench_load import Tally, drive
from airssys_wasm.system.bench_result import Latency, Report, Scenario
from airssys_wasm.system.bench_spec import BenchSpec
from airssys_wasm.system.pipeline_open import open_pipeline
from airssys_wasm.system.pipeline_stage import load_all, system_for
from airssys_wasm.system.system import ActorSystem

OnPhase = Callable[[str, float], None]
"""Told of each part of a run as it begins: what it is, and how many seconds it takes."""


async def bench_component(file: Path, spec: BenchSpec, on_phase: OnPhase = lambda *_: None) -> Report:
    """Measure a component under the loads of a spec.

    Raises:
        AirssysError: It cannot be loaded, or has failed for good during the run.

    Cancellation: the component is killed.
    """
    async with ActorSystem(name="bench") as system:
        compiled = await system.compile(file)
        require_contract(compiled)
        before = resident_bytes()
        subject = Crew(system, compiled, spec, before)
        await subject.load()
        scenarios = [await _measure(subject, *load, spec, on_phase) for load in spec.loads()]
        return _report(file, compiled.digest, spec, scenarios)


async def bench_pipeline(file: Path, spec: BenchSpec, on_phase: OnPhase = lambda *_: None) -> Report:
    """Measure a pipeline: a message's latency is that of its journey through all stages, sinks excluded.

    Sources are not read and sinks not written. A message enters at each source in turn.

    Raises:
        PipelineInvalid: All that is wrong with it.
        AirssysError: A component cannot be loaded, or has failed for good during the run.

    Cancellation: the components are killed.
    """
    plan = await open_pipeline(file)
    plan = attrs.evolve(plan, spec=attrs.evolve(plan.spec, storage=None, audit=None))
    async with system_for(plan) as system:
        before, digest = resident_bytes(), hashlib.sha256(await anyio.Path(file).read_bytes())
        stages, _ = await load_all(system, plan)
        for component in plan.components:
            digest.update((await system.compile(component.path)).digest.encode())
        journey = Journey(plan, stages, before)
        scenarios = [await _measure(journey, *load, spec, on_phase) for load in spec.loads()]
        return _report(file, digest.hexdigest(), spec, scenarios)


async def _measure(
    subject: Subject, name: str, payloads: Sequence[bytes], spec: BenchSpec, on_phase: OnPhase
) -> Scenario:
    """One scenario: warm up, then count."""
    on_phase(f"{name}: warming up", spec.warm_up)
    await drive(subject, payloads, spec, spec.warm_up, Tally())
    on_phase(name, spec.duration)
    tally = Tally()
    watch = Watch(lambda: tally.messages, spec.duration, subject.resident_before)
    subject.begin()
    guest, started = subject.guest_seconds(), time.perf_counter()
    async with _watched(watch):
        await drive(subject, payloads, spec, spec.duration, tally)
    seconds = time.perf_counter() - started
    return Scenario(
        name=name,
        messages=tally.messages,
        errors=dict(tally.errors),
        unanswered=tally.unanswered,
        seconds=seconds,
        throughput=tally.messages / seconds,
        windows=tuple(watch.windows),
        latency=Latency.of(tally.latency),
        gauges=watch.gauges(),
        guest_share=(subject.guest_seconds() - guest) / seconds,
        fuel=await subject.fuel(payloads) if spec.fuel else None,
        stages=subject.stages(seconds),
    )


@asynccontextmanager
async def _watched(watch: Watch) -> AsyncIterator[None]:
    task = asyncio.ensure_future(watch.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _report(file: Path, digest: str, spec: BenchSpec, scenarios: Sequence[Scenario]) -> Report:
    settings = {name: str(value) for name, value in attrs.asdict(spec, filter=attrs.filters.exclude("lines")).items()}
    return Report(file.name, digest, machine(), settings, tuple(scenarios))


def machine() -> dict[str, str]:
    """What figures were taken on; to be called where the loop runs."""
    return {
        "airssys-wasm": version("airssys-wasm"),
        "wasmtime": version("wasmtime"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "loop": type(asyncio.get_running_loop()).__module__.partition(".")[0],
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
    }
