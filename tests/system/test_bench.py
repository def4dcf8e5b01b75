"""Benchmarks of real components and pipelines, short."""

from pathlib import Path

import pytest

from airssys_wasm import ActorStopped, ActorSystem, ComponentId, InvalidComponent, Limits, PipelineInvalid
from airssys_wasm.system.bench import bench_component, bench_pipeline
from airssys_wasm.system.bench_spec import BenchSpec
from tests.cli.commands import GUESTS, stages

SHORT = {"warm_up": 0.02, "duration": 0.2}


def spec(**more: object) -> BenchSpec:
    """A short run."""
    return BenchSpec(**{**SHORT, **more})  # type: ignore[arg-type]


async def test_a_component_is_measured_at_each_size() -> None:
    """Messages, latencies, guest time, memory and fuel; told as it goes."""
    phases: list[str] = []
    report = await bench_component(
        GUESTS / "echo.wasm",
        spec(sizes=(0, 1000), actors=3, concurrency=2, fuel=True),
        lambda what, _seconds: phases.append(what),
    )
    names = ["0 B random, 2 at a time, 3 actors", "1000 B random, 2 at a time, 3 actors"]
    assert names == [scenario.name for scenario in report.scenarios]
    assert [text for name in names for text in (f"{name}: warming up", name)] == phases
    assert {"python", "wasmtime", "loop"} <= set(report.machine)
    for scenario in report.scenarios:
        assert scenario.messages == scenario.latency.buckets_ns[-1][1] + sum(
            n for _, n in scenario.latency.buckets_ns[:-1]
        )
        assert scenario.messages > 0
        assert not scenario.errors
        assert 0 < scenario.latency.p50 <= scenario.latency.p99 <= scenario.latency.longest
        assert scenario.guest_share > 0
    small, large = (scenario.fuel or 0 for scenario in report.scenarios)
    assert 0 < small < large


async def test_errors_of_a_component_are_in_the_result() -> None:
    """A guest that does not understand its messages answers err."""
    report = await bench_component(GUESTS / "callback.wasm", spec())
    (scenario,) = report.scenarios
    assert (0, ["GuestError runtime-error"]) == (scenario.messages, list(scenario.errors))


async def test_a_component_that_crashes_for_ever_ends_the_benchmark() -> None:
    """It has failed for good after some restarts."""
    with pytest.raises(ActorStopped):
        await bench_component(GUESTS / "hostile.wasm", spec(lines=(b"trap",), duration=30.0, warm_up=30.0))


async def test_what_is_no_component_is_refused(tmp_path: Path) -> None:
    """As by `load`."""
    (tmp_path / "x.wasm").write_bytes(b"no")
    with pytest.raises(InvalidComponent):
        await bench_component(tmp_path / "x.wasm", spec())


async def test_a_journey_goes_through_all_stages_and_instances(tmp_path: Path) -> None:
    """Its latency is at least that of each of its stages; both instances of a stage take part."""
    file = stages(tmp_path, ["echo", "counter"])
    report = await bench_pipeline(file, spec(lines=(b"a", b"b")))
    (scenario,) = report.scenarios
    first, second = scenario.stages
    assert ["x/0", "x/1"] == [first.id, second.id]
    assert scenario.messages == first.messages == second.messages > 0
    assert scenario.latency.p50 >= max(first.latency.p50, second.latency.p50)
    assert first.guest_share > 0
    assert scenario.fuel is None


async def test_a_message_goes_no_further_than_its_answers(tmp_path: Path) -> None:
    """A stage that answers none ends the journey."""
    report = await bench_pipeline(stages(tmp_path, ["hostile", "echo"]), spec(lines=(b"none",)))
    (scenario,) = report.scenarios
    first, second = scenario.stages
    assert (True, 0, 0) == (first.messages > 0, second.messages, len(scenario.errors))


async def test_a_pipeline_that_is_wrong_is_refused(tmp_path: Path) -> None:
    """All that is wrong with it."""
    with pytest.raises(PipelineInvalid):
        await bench_pipeline(stages(tmp_path, ["gone"]), spec())


async def test_fuel_is_counted_per_actor_and_across_restarts() -> None:
    """In the statistics of a component with `max_fuel`; 0 for others."""
    async with ActorSystem() as system:
        metered = await system.load(
            ComponentId("x", "metered", "0"), GUESTS / "echo.wasm", limits=Limits(max_fuel=10_000_000)
        )
        plain = await system.load(ComponentId("x", "plain", "0"), GUESTS / "echo.wasm")
        seen = [metered.statistics().fuel]
        await metered.ask(b"x")
        seen.append(metered.statistics().fuel)
        await metered.ask(b"x")
        seen.append(metered.statistics().fuel)
        assert 0 < seen[0] < seen[1] < seen[2] < 10_000_000
        assert seen[2] - seen[1] == seen[1] - seen[0]
        await metered.restart()
        assert metered.statistics().fuel > seen[2]
        assert 0 == plain.statistics().fuel
