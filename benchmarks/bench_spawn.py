"""What does it cost to start an actor, from a compiled component to `initialize`? Beside an anyio task with a channel.

Actors are started in batches and the batch is ended outside the measured time, also for the thread that deletes its
Stores. Beside are shown a Store and an instance alone, and with the calls of `initialize` and `metadata`.
"""

import asyncio
import gc
import itertools
import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.abc

from airssys_wasm import ActorSystem, ComponentId
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.maps import count_maps
from airssys_wasm.runtime.store import GuestStore
from benchmarks.harness import GUESTS, QUICK, ROUNDS, Figure, Target, figures_of, run_main, show, table, tell

BATCH = 50 if QUICK else 500
SERIAL = itertools.count()
SETTLE_SECONDS = 0.02

Batch = Callable[[int], Awaitable[float]]
"""Starts so many and ends them; the seconds that the starts took."""


def ours(system: ActorSystem, compiled: CompiledComponent) -> Batch:
    """`ActorSystem.load`."""

    async def batch(count: int) -> float:
        started = time.perf_counter()
        handles = [await system.load(ComponentId("bench", "echo", str(next(SERIAL))), compiled) for _ in range(count)]
        taken = time.perf_counter() - started
        for handle in handles:
            await system.unload(handle)
        return taken

    return batch


def instances(engine: WasmtimeEngine, compiled: CompiledComponent, *, initialized: bool) -> Batch:
    """A Store and an instance, without an actor."""

    async def start() -> GuestStore:
        guest = await engine.start(compiled, HostState(ComponentId("bench", "bare", "0")))
        if initialized:
            await guest.initialize(ComponentConfig())
        return guest

    async def batch(count: int) -> float:
        started = time.perf_counter()
        guests = [await start() for _ in range(count)]
        taken = time.perf_counter() - started
        for guest in guests:
            await guest.aclose()
        return taken

    return batch


async def tasks(count: int) -> float:
    """An anyio task that waits at a memory channel, started and known to wait."""

    async def wait(task_status: anyio.abc.TaskStatus[None]) -> None:
        inlet, outlet = anyio.create_memory_object_stream[bytes](1024)
        with inlet, outlet:
            task_status.started()
            await outlet.receive()

    async with anyio.create_task_group() as group:
        started = time.perf_counter()
        for _ in range(count):
            await group.start(wait)
        taken = time.perf_counter() - started
        group.cancel_scope.cancel()
    return taken


async def reaped() -> None:
    """Wait until nothing of the last batch is left to be deleted, which is seen by the memory maps."""
    before, now = -1, count_maps()
    while now != before:
        await asyncio.sleep(SETTLE_SECONDS)
        before, now = now, count_maps()


async def race(batches: dict[str, Batch]) -> dict[str, Figure]:
    """All in turn, several rounds, without garbage collections in between."""
    samples: dict[str, list[float]] = {name: [] for name in batches}
    for round_number in range(ROUNDS + 1):
        for name, batch in batches.items():
            await reaped()
            gc.collect()
            gc.disable()
            taken = await batch(BATCH)
            gc.enable()
            if round_number:  # the first one warms up
                samples[name].append(taken / BATCH * 1e6)
    return {name: Figure.of(taken) for name, taken in samples.items()}


async def main() -> None:
    """Run, print the tables, write the JSON."""
    async with ActorSystem() as system, WasmtimeEngine() as engine:
        compiled = await system.compile(GUESTS / "echo.wasm")
        bare = await engine.compile(GUESTS / "echo.wasm", Limits())
        await (await system.load(ComponentId("bench", "warm", "0"), compiled)).ask(b"known by now")
        figures = await race(
            {
                "load": ours(system, compiled),
                "instance": instances(engine, bare, initialized=False),
                "initialized": instances(engine, bare, initialized=True),
                "task": tasks,
            }
        )
    median = {name: figure.median for name, figure in figures.items()}
    show(table(("", "µs each"), list(median.items())))
    question = "spawn, from compiled to initialized"
    tell(
        "spawn",
        figures_of(figures),
        [Target(question, "anyio task with a channel", median["load"] / median["task"], 1.5)],
    )


if __name__ == "__main__":
    run_main(main)
