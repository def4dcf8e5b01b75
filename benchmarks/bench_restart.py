"""How long does a crashed actor not answer, without back-off? Beside a bare Store and instance of the same guest.

One guest traps and is asked again at once, one after the other: from the moment its caller hears of the crash until
the next answer. What wasmtime has to do for that, a Store, an instance, `initialize` and `metadata`, is shown beside.
"""

import contextlib
import gc
import time

from airssys_wasm import ActorHandle, ActorSystem, ComponentCrashed, ComponentId, Limits, RestartPolicy
from airssys_wasm.runtime.engine import WasmtimeEngine
from benchmarks.bare import Sample, instance
from benchmarks.harness import GUESTS, QUICK, ROUNDS, Figure, Target, figures_of, run_main, show, table, tell

BATCH = 50 if QUICK else 500
GUEST = GUESTS / "hostile.wasm"
ALWAYS = RestartPolicy(intensity=1_000_000, window=0.001, backoff_initial=0.0)


def restart(actor: ActorHandle) -> Sample:
    """From the news of the crash to the next answer."""

    async def once() -> float:
        with contextlib.suppress(ComponentCrashed):
            await actor.ask(b"trap")
        began = time.perf_counter()
        await actor.ask(b"echo x")
        return time.perf_counter() - began

    return once


def ask(actor: ActorHandle) -> Sample:
    """The same answer of an actor that is well."""

    async def once() -> float:
        began = time.perf_counter()
        await actor.ask(b"echo x")
        return time.perf_counter() - began

    return once


async def race(samples: dict[str, Sample]) -> dict[str, Figure]:
    """All in turn, several rounds; the median of each round, without garbage collections in it."""
    medians: dict[str, list[float]] = {name: [] for name in samples}
    for round_number in range(ROUNDS + 1):
        for name, once in samples.items():
            gc.collect()
            gc.disable()
            taken = sorted([await once() for _ in range(BATCH)])
            gc.enable()
            if round_number:  # the first one warms up
                medians[name].append(taken[BATCH // 2] * 1e6)
    return {name: Figure.of(taken) for name, taken in medians.items()}


async def main() -> None:
    """Run, print the tables, write the JSON."""
    async with ActorSystem() as system, WasmtimeEngine() as engine:
        compiled = await system.compile(GUEST)
        actor = await system.load(ComponentId("bench", "guest", "0"), compiled, restart=ALWAYS)
        bare = await engine.compile(GUEST, Limits())
        figures = await race(
            {
                "restart": restart(actor),
                "ask": ask(actor),
                "instance": instance(engine, bare, initialized=False),
                "initialized": instance(engine, bare, initialized=True),
            }
        )
        assert actor.statistics().restarts > BATCH
    median = {name: figure.median for name, figure in figures.items()}
    show(table(("", "µs"), list(median.items())))
    question = "crashed to answering again, back-off excluded"
    targets = [
        Target(question, "a Store and an instance", median["restart"] / median["instance"], 5.0),
        Target(question, "the same, initialized", median["restart"] / median["initialized"], None),
    ]
    tell("restart", figures_of(figures), targets)


if __name__ == "__main__":
    run_main(main)
