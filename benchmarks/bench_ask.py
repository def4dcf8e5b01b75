"""What does an ask of one actor cost, beside what others would use, on asyncio and on uvloop? 64 random bytes.

Peers: an actor of a bare asyncio queue without WebAssembly; wasmtime-py calling the same guest, without an actor; a
Pykka actor, which is a thread. Each loop is a run of its own; ratios are within a run.
"""

import asyncio
import os
from typing import Any

import pykka
import uvloop

from airssys_wasm import ActorSystem, ComponentId
from benchmarks.harness import GUESTS, Figure, Target, figures_of, race, repeated, repeated_call, show, table, tell
from benchmarks.peers import Direct, PykkaEcho, QueueActor

PAYLOAD = os.urandom(64)


async def measure() -> dict[str, Figure]:
    """All contestants on the loop that is running."""
    binary = (GUESTS / "echo.wasm").read_bytes()
    direct, queue, threaded = Direct(binary), QueueActor(), PykkaEcho.start()
    async with ActorSystem() as system:
        echo = await system.load(ComponentId("bench", "echo", "0"), binary)
        figures = await race(
            {
                "ask": repeated(lambda: echo.ask(PAYLOAD)),
                "queue": repeated(lambda: queue.ask(PAYLOAD)),
                "wasmtime-py": repeated_call(lambda: direct.echo(PAYLOAD)),
                "pykka": repeated_call(lambda: threaded.ask(PAYLOAD)),
            }
        )
    queue.stop()
    pykka.ActorRegistry.stop_all()
    return figures


def targets(loop: str, figures: dict[str, Figure]) -> list[Target]:
    """The ratios of one loop."""
    median = {name: figure.median for name, figure in figures.items()}
    ask = f"ask, 64 B, one actor, {loop}"
    return [
        Target(ask, "bare asyncio-queue actor", median["ask"] / median["queue"], 2),
        Target(ask, "wasmtime-py direct", median["wasmtime-py"] / median["ask"], 20, at_most=False),
        Target(ask, "Pykka ask", median["pykka"] / median["ask"], 6, at_most=False),
    ]


def main() -> None:
    """Run on both loops, print the tables, write the JSON."""
    results: dict[str, Any] = {}
    kept: list[Target] = []
    for loop, run in (("asyncio", asyncio.run), ("uvloop", uvloop.run)):
        figures = run(measure())
        results[loop] = figures_of(figures)
        kept += targets(loop, figures)
    rows = [(loop, *(figure["median"] for figure in row.values())) for loop, row in results.items()]
    show(table(("loop", *(f"{name} µs" for name in results["asyncio"])), rows))
    tell("ask", results, kept)


if __name__ == "__main__":
    main()
