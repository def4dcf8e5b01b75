"""What does an ask cost when it goes round many actors, as load grows? Beside the same round of bare queue actors.

Each ask goes to the next actor, so that each finds its actor asleep and its memory cold. 64 random bytes.
"""

import asyncio
import gc
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

from airssys_wasm import ActorSystem, ComponentId, Limits
from benchmarks.harness import GUESTS, QUICK, Contestant, Figure, Target, figures_of, race, run_main, show, table, tell
from benchmarks.peers import Actor, QueueActor

COUNTS = (1, 10, 100, 1000) if QUICK else (1, 10, 100, 1000, 10_000)
TARGETS = {1: 2.0, 100: 2.5, 1000: 3.0}
MOST_GROWTH = 3.0
PAYLOAD = os.urandom(64)
SMALL = Limits(max_memory_bytes=4 << 20)
"""For few memory maps, of which Linux allows 65,530 by default."""


def going_round(actors: Sequence[Actor]) -> Contestant:
    """Ask the next one each time."""
    turn: Iterator[Actor] = itertools.cycle(actors)

    async def contestant(count: int) -> None:
        for _ in range(count):
            await next(turn).ask(PAYLOAD)

    return contestant


async def measure(count: int) -> dict[str, Figure]:
    """Both rounds with so many actors."""
    async with ActorSystem() as system:
        compiled = await system.compile(GUESTS / "echo.wasm")
        ours = [
            await system.load(ComponentId("bench", "echo", str(n)), compiled, limits=SMALL, shutdown="brutal")
            for n in range(count)
        ]
        bare = [QueueActor() for _ in range(count)]
        everyone: list[Actor] = [*ours, *bare]
        for actor in everyone:
            await actor.ask(PAYLOAD)
        gc.collect()
        gc.freeze()
        figures = await race({"ask": going_round(ours), "queue": going_round(bare)})
        gc.unfreeze()
        for actor in bare:
            actor.stop()
        await asyncio.sleep(0)
        return figures


def targets(results: dict[str, Any]) -> list[Target]:
    """The ratios, and how they grow."""
    ratio = {int(count): row["ask"]["median"] / row["queue"]["median"] for count, row in results.items()}
    most = max(ratio)
    kept = [
        Target(
            f"ask, 64 B, going round {count:,} actor{'s' * (count > 1)}",
            "the same round of bare actors",
            ratio[count],
            bound,
        )
        for count, bound in TARGETS.items()
    ]
    growth = [results[str(most)][name]["median"] / results["10"][name]["median"] for name in ("ask", "queue")]
    question = f"growth of an ask's cost from 10 to {most:,} actors"
    return [*kept, Target(question, "growth of the bare actor's", growth[0] / growth[1], MOST_GROWTH)]


async def main() -> None:
    """Run, print the tables, write the JSON."""
    results = {str(count): figures_of(await measure(count)) for count in COUNTS}
    rows = [
        (count, row["ask"]["median"], row["queue"]["median"], row["ask"]["median"] / row["queue"]["median"])
        for count, row in results.items()
    ]
    show(table(("actors", "ask µs", "bare queue µs", "times"), rows))
    tell("round", results, targets(results))


if __name__ == "__main__":
    run_main(main)
