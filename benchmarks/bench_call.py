"""What does a message cost? `ask` of the echo guest beside two peers in the same run.

Peers: wasmtime-py's own call of the same guest, without an actor; and an actor of a bare asyncio queue that echoes in
Python, without WebAssembly. Payloads are random bytes.
"""

import asyncio
import os
from typing import Any

from airssys_wasm import ActorHandle, ActorSystem, ComponentId
from benchmarks.harness import GUESTS, Contestant, race, show, table, write
from benchmarks.peers import Direct, QueueActor

SIZES = (0, 64, 1024, 4096, 65_536)


def _contestants(echo: ActorHandle, direct: Direct, queue_actor: QueueActor, payload: bytes) -> dict[str, Contestant]:
    """Ours and the two peers, with one payload."""

    async def ours(count: int) -> None:
        for _ in range(count):
            await echo.ask(payload)

    async def peer(count: int) -> None:
        for _ in range(count):
            direct.echo(payload)

    async def bare(count: int) -> None:
        for _ in range(count):
            await queue_actor.ask(payload)

    return {"ask": ours, "wasmtime-py": peer, "queue": bare}


async def _measure(binary: bytes) -> dict[str, Any]:
    """Figures and ratios for every size."""
    direct, queue_actor = Direct(binary), QueueActor()
    results: dict[str, Any] = {}
    async with ActorSystem() as system:
        echo = await system.load(ComponentId("bench", "echo", "0"), binary)
        for size in SIZES:
            payload = os.urandom(size)
            assert payload == await echo.ask(payload)
            figures = await race(_contestants(echo, direct, queue_actor, payload))
            results[str(size)] = {name: vars_of(figure) for name, figure in figures.items()} | {
                "times_faster_than_wasmtime_py": figures["wasmtime-py"].median / figures["ask"].median,
                "times_slower_than_bare_queue": figures["ask"].median / figures["queue"].median,
            }
    queue_actor.stop()
    return results


async def main() -> None:
    """Run, print the table, write the JSON."""
    results = await _measure((GUESTS / "echo.wasm").read_bytes())
    rows = [
        (
            size,
            *(row[name]["median"] for name in ("ask", "wasmtime-py", "queue")),
            row["times_faster_than_wasmtime_py"],
            row["times_slower_than_bare_queue"],
        )
        for size, row in results.items()
    ]
    show(table(("bytes", "ask µs", "wasmtime-py µs", "bare queue µs", "times faster", "times bare queue"), rows))
    show(f"written to {write('call', results)}")


def vars_of(figure: Any) -> dict[str, float]:
    """A figure as JSON."""
    return {"median": figure.median, "low": figure.low, "high": figure.high}


if __name__ == "__main__":
    asyncio.run(main())
