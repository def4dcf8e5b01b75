"""What does a component cost that sleeps, and how long does it take to wake? 20,000 of them, beside a bare instance.

Loads echo components that fall asleep soon, waits until all do, and counts resident memory and maps each. Then some are
asked, one at a time: from the message to the answer, less the same ask of one that is awake, beside a bare Store and
instance, and beside one that is initialized, all in turn in the same run. At the end the whole system is left.
"""

import asyncio
import gc
import itertools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from airssys_wasm import ActorHandle, ActorState, ActorSystem, ComponentId, Limits
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.system.bench_gauges import resident_bytes
from benchmarks.bare import Sample, instance
from benchmarks.harness import GUESTS, QUICK, Target, run_main, show, table, tell

WANTED = 500 if QUICK else 20_000
ASKED = 100 if QUICK else 2_000
SOON = 0.05
KIB = 1024


async def load(system: ActorSystem, compiled: CompiledComponent) -> list[ActorHandle]:
    """Load all; most are asleep before the last one is there."""
    return [
        await system.load(ComponentId("bench", "echo", str(number)), compiled, passivate_after=SOON)
        for number in range(WANTED)
    ]


async def until_asleep(actors: list[ActorHandle]) -> None:
    """Wait for it, and for the memory that is given back in a thread."""
    while any(actor.state is not ActorState.ASLEEP for actor in actors):  # noqa: ASYNC110 - an event each would cost more
        await asyncio.sleep(SOON)
    await asyncio.sleep(0.5)
    gc.collect()


def timed(work: Callable[[], Awaitable[object]]) -> Sample:
    """The seconds that it takes."""

    async def once() -> float:
        began = time.perf_counter()
        await work()
        return time.perf_counter() - began

    return once


async def race(samples: dict[str, Sample]) -> dict[str, list[float]]:
    """All in turn, in microseconds, in order of size."""
    taken: dict[str, list[float]] = {name: [] for name in samples}
    for _ in range(ASKED):
        for name, once in samples.items():
            taken[name].append(await once() * 1e6)
            await asyncio.sleep(0)
    return {name: sorted(found) for name, found in taken.items()}


def at(ordered: list[float], share: float) -> float:
    """A quantile."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def maps() -> int:
    """Memory maps of this process."""
    return Path("/proc/self/maps").read_bytes().count(b"\n")


async def measure() -> tuple[dict[str, float], dict[str, list[float]]]:
    """The whole experiment in one system."""
    results: dict[str, float] = {}
    async with WasmtimeEngine() as engine:
        bare = await engine.compile(GUESTS / "echo.wasm", Limits())
        system = ActorSystem(stop_timeout=120)
        async with system:
            compiled = await system.compile(GUESTS / "echo.wasm")
            awake = await system.load(ComponentId("bench", "awake", "0"), compiled)
            await awake.ask(b"warm")
            gc.collect()
            resident, mapped = resident_bytes(), maps()
            actors = await load(system, compiled)
            await until_asleep(actors)
            results["kib_asleep"] = (resident_bytes() - resident) / WANTED / KIB
            results["maps_asleep"] = (maps() - mapped) / WANTED
            results["tasks"] = len(asyncio.all_tasks())
            gc.freeze()
            sleepers = itertools.cycle(actors)
            taken = await race(
                {
                    "revive": timed(lambda: next(sleepers).ask(b"x")),
                    "ask": timed(lambda: awake.ask(b"x")),
                    "instance": instance(engine, bare, initialized=False),
                    "initialized": instance(engine, bare, initialized=True),
                }
            )
            await until_asleep(actors)
            results["kib_asleep_again"] = (resident_bytes() - resident) / WANTED / KIB
            results["revivals"] = sum(actor.statistics().revivals for actor in actors)
            began = time.perf_counter()
        results["seconds_to_leave"] = time.perf_counter() - began
        gc.unfreeze()
    return results, taken


async def main() -> None:
    """Run, print the tables, write the JSON."""
    results, taken = await measure()
    show(table((f"{WANTED:,} sleeping components", "figure"), list(results.items())))
    rows = [(name, at(found, 0.5), at(found, 0.99)) for name, found in taken.items()]
    show(table(("µs", "p50", "p99"), rows))
    beyond = {share: at(taken["revive"], share) - at(taken["initialized"], share) for share in (0.5, 0.99)}
    ratio = {share: at(taken["revive"], share) / at(taken["instance"], share) for share in (0.5, 0.99)}
    woken = "asleep to answered"
    targets = [
        Target(f"{WANTED:,} sleeping components: resident each", "-", results["kib_asleep"], 6, unit="KiB"),
        Target(f"{woken}, median", "a Store and an instance", ratio[0.5], None),
        Target(f"{woken}, p99", "a Store and an instance", ratio[0.99], None),
        Target(f"{woken}, median beyond `initialize`", "the same, initialized", beyond[0.5], 500, unit="µs"),
        Target(f"{woken}, p99 beyond `initialize`", "the same, initialized", beyond[0.99], None, unit="µs"),
    ]
    tell("passivation", results | {name: at(found, 0.5) for name, found in taken.items()}, targets)


if __name__ == "__main__":
    run_main(main)
