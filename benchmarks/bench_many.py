"""What does it take to keep 20,000 actors, and what does an ask cost among them? Beside ourselves with ten.

Loads echo actors until there are so many, or until the system refuses; then each gets a message. Counted: resident
memory and memory maps each, and seconds each. Then a hot set of ten of them is asked in turn
with ten of a system of their own, in the same rounds: in one that is minutes younger other things differ as well.
"""

import gc
import itertools
import os
import time
from pathlib import Path
from typing import Any

from airssys_wasm import ActorHandle, ActorSystem, AirssysError, ComponentId, Limits
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.system.bench_gauges import resident_bytes
from benchmarks.harness import GUESTS, QUICK, Contestant, Figure, Target, race, run_main, show, table, tell

WANTED = 1_000 if QUICK else 20_000
HOT = 10
KIB = 1024
PAYLOAD = os.urandom(64)
SMALL = Limits(max_memory_bytes=4 << 20)
"""For few memory maps, of which Linux allows 65,530 by default."""


def maps() -> int:
    """Memory maps of this process."""
    return Path("/proc/self/maps").read_bytes().count(b"\n")


def hot_set(actors: list[ActorHandle]) -> Contestant:
    """Ask the same few in turn."""
    turn = itertools.cycle(actors[:HOT])

    async def contestant(count: int) -> None:
        for _ in range(count):
            await next(turn).ask(PAYLOAD)

    return contestant


async def fill(system: ActorSystem, compiled: CompiledComponent, actors: list[ActorHandle]) -> str:
    """Load until there are enough; why not, if so."""
    try:
        for number in range(len(actors), WANTED):
            component = ComponentId("bench", "echo", str(number))
            actors.append(await system.load(component, compiled, limits=SMALL, shutdown="brutal"))
    except (AirssysError, MemoryError) as exc:
        return f"{type(exc).__name__}: {exc}"
    return ""


async def ten(system: ActorSystem, compiled: CompiledComponent) -> list[ActorHandle]:
    """The first ones."""
    return [await system.load(ComponentId("bench", "echo", str(n)), compiled, limits=SMALL) for n in range(HOT)]


async def beside_ten(actors: list[ActorHandle]) -> dict[str, Figure]:
    """The ask of a hot set among all, and in a system of ten."""
    async with ActorSystem("small") as system:
        few = await ten(system, await system.compile(GUESTS / "echo.wasm"))
        return await race({"ten": hot_set(few), "all": hot_set(actors)})


async def measure() -> tuple[dict[str, Any], Figure, Figure]:
    """The whole experiment in one system."""
    async with ActorSystem(stop_timeout=120) as system:
        compiled = await system.compile(GUESTS / "echo.wasm")
        actors = await ten(system, compiled)
        gc.collect()
        resident, mapped, began = resident_bytes(), maps(), time.perf_counter()
        refusal = await fill(system, compiled, actors)
        seconds, added = time.perf_counter() - began, max(1, len(actors) - HOT)
        gc.collect()
        loaded, mapped = resident_bytes(), maps() - mapped
        for actor in actors:
            assert await actor.ask(PAYLOAD) == PAYLOAD
        gc.collect()
        gc.freeze()  # as an application would that goes on with so many: a full collection goes through them all
        results = {
            "actors": len(actors),
            "refusal": refusal,
            "kib_loaded": (loaded - resident) / added / KIB,
            "kib_after_a_message": (resident_bytes() - resident) / added / KIB,
            "maps": mapped / added,
            "us_to_load": seconds / added * 1e6,
        }
        asks = await beside_ten(actors)
        gc.unfreeze()
    return results, asks["ten"], asks["all"]


async def main() -> None:
    """Run, print the tables, write the JSON."""
    results, few, many = await measure()
    results |= {"hot_ask_us_with_10": few.median, "hot_ask_us_with_all": many.median}
    show(table(("live actors", "figure"), list(results.items())))
    live = f"{WANTED:,} live actors"
    targets = [
        Target(live, "as many as wanted", results["actors"], WANTED, at_most=False, unit="actors"),
        Target(f"{live}: resident each, loaded", "-", results["kib_loaded"], 25, unit="KiB"),
        Target(f"{live}: resident each, after a message", "-", results["kib_after_a_message"], 30, unit="KiB"),
        Target(f"{live}: ask of a hot set of {HOT}", f"with {HOT} loaded", many.median / few.median, 1.3),
    ]
    tell("many", results, targets)


if __name__ == "__main__":
    run_main(main)
