"""A pipeline's components as one target: a message goes through all stages that routes lead it to."""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import final

import attrs

from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.system.bench_histogram import Histogram
from airssys_wasm.system.bench_result import Latency, StageFigures
from airssys_wasm.system.pipeline_plan import Plan
from airssys_wasm.system.pipeline_spec import ComponentSpec


@final
@attrs.define(eq=False)
class _Station:
    """One stage on the way: its instances, in turn or by key, and how long they take."""

    spec: ComponentSpec
    handles: Sequence[ActorHandle]
    latency: Histogram = attrs.field(factory=Histogram, init=False)
    guest_before: float = attrs.field(default=0.0, init=False)
    _turn: "Iterator[int]" = attrs.field(factory=itertools.count, init=False)

    async def ask(self, payload: bytes) -> bytes | None:
        many, key = len(self.handles), self.spec.key
        instance = next(self._turn) % many if key is None or many == 1 else key.instance(payload, many)
        started = time.perf_counter_ns()
        answer = await self.handles[instance].ask(payload, timeout=None)
        self.latency.record(time.perf_counter_ns() - started)
        return answer

    def guest_seconds(self) -> float:
        return sum(handle.statistics().guest_time for handle in self.handles)


@final
class Journey:
    """Sends a message from a source through all that its routes lead to, depth first, until nothing answers more."""

    def __init__(self, plan: Plan, stages: Mapping[str, Sequence[ActorHandle]], resident_before: int) -> None:
        self.resident_before = resident_before
        self._targets = plan.targets
        self._sources = itertools.cycle([source.name for source in plan.spec.sources])
        self._stations = {spec.id: _Station(spec, stages[spec.id]) for spec in plan.components}

    async def send(self, payload: bytes) -> None:
        """One whole journey; raises what ends it early."""
        await self._pass_on(next(self._sources), payload)

    async def _pass_on(self, origin: str, payload: bytes) -> None:
        for target in self._targets[origin]:
            station = self._stations.get(target)
            if station is not None:  # else a sink
                answer = await station.ask(payload)
                if answer is not None:
                    await self._pass_on(target, answer)

    def guest_seconds(self) -> float:
        """Inside guest code so far, all stages together."""
        return sum(station.guest_seconds() for station in self._stations.values())

    def begin(self) -> None:
        """Forget what was measured before."""
        for station in self._stations.values():
            station.latency, station.guest_before = Histogram(), station.guest_seconds()

    def stages(self, seconds: float) -> tuple[StageFigures, ...]:
        """Each stage since `begin`, in the order of the plan."""
        return tuple(
            StageFigures(
                id=name,
                messages=station.latency.count,
                latency=Latency.of(station.latency),
                guest_share=(station.guest_seconds() - station.guest_before) / seconds,
            )
            for name, station in self._stations.items()
        )

    async def fuel(self, payloads: Sequence[bytes]) -> float | None:
        """A pipeline's components have limits of their own; their fuel is not counted."""
        return None
