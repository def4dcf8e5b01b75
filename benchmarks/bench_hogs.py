"""Do a hundred endless loops hold up the event loop, or an answer to the outside world? Beside the same loop idle.

The two scenes take turns. A heartbeat goes round the loop all the time and notes its longest gap in each 10 ms; a
thread plays the outside: it writes to a socket at irregular times, the loop reads it and asks an echo actor. Of the
hogs it is measured how much of a core they get meanwhile.
"""

import asyncio
import contextlib
import random
import socket
import statistics
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

from airssys_wasm import ActorHandle, ActorSystem, AirssysError, ComponentId
from benchmarks.bench_gap import Heartbeat
from benchmarks.harness import GUESTS, QUICK, Target, run_main, show, table, tell

HOGS = 100
SECONDS = 0.5 if QUICK else 4.0
ROUNDS = 1 if QUICK else 3
TICK_MS = 1.0


class Outside:
    """Events from a thread, and how long after each its answer was there."""

    def __init__(self, echo: ActorHandle) -> None:
        self.latencies: list[float] = []
        self._echo = echo
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)  # noqa: FBT003 - as the standard library has it
        self._sent: list[float] = []
        self._asks: set[asyncio.Task[None]] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write)

    async def __aenter__(self) -> None:
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        self._thread.start()

    async def __aexit__(self, *_exc: object) -> None:
        self._end.set()
        await asyncio.to_thread(self._thread.join)
        asyncio.get_running_loop().remove_reader(self._ours)
        await asyncio.gather(*self._asks)
        self._ours.close()
        self._theirs.close()

    def _write(self) -> None:
        while not self._end.wait(random.uniform(0.002, 0.008)):
            self._sent.append(time.perf_counter())
            self._theirs.send(b"x")

    def _read(self) -> None:
        for _ in self._ours.recv(4096):
            task = asyncio.ensure_future(self._answer(self._sent.pop(0)))
            self._asks.add(task)
            task.add_done_callback(self._asks.discard)

    async def _answer(self, sent: float) -> None:
        await self._echo.ask(b"x" * 64, timeout=None)
        self.latencies.append(time.perf_counter() - sent)


@contextlib.asynccontextmanager
async def at_work(hogs: list[ActorHandle]) -> AsyncIterator[None]:
    """All hogs in their endless loops."""

    async def ask(hog: ActorHandle) -> None:
        with contextlib.suppress(AirssysError):
            await hog.ask(b"loop", timeout=None, interrupt=True)

    tasks = [asyncio.ensure_future(ask(hog)) for hog in hogs]
    await asyncio.sleep(0.1)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks) if tasks else None


async def scene(count: int) -> dict[str, float]:
    """One scene in a system of its own."""
    async with ActorSystem() as system:
        compiled = await system.compile(GUESTS / "hostile.wasm")
        echo = await system.load(ComponentId("bench", "echo", "0"), GUESTS / "echo.wasm")
        for _ in range(20):
            await echo.ask(b"known by now")
        hogs = [
            await system.load(ComponentId("bench", "hog", str(at)), compiled, shutdown="brutal") for at in range(count)
        ]
        beat, outside = Heartbeat(), Outside(echo)
        async with at_work(hogs):
            began, before = time.perf_counter(), sum(hog.statistics().guest_time for hog in hogs)
            async with outside:
                beating = asyncio.ensure_future(beat.run())
                await asyncio.sleep(SECONDS)
                beat.stop()
                await beating
            seconds = time.perf_counter() - began
            share = (sum(hog.statistics().guest_time for hog in hogs) - before) / seconds
    answers = sorted(outside.latencies)
    return beat.figures() | {
        "event_p50_ms": statistics.median(answers) * 1e3,
        "event_p99_ms": answers[int(0.99 * len(answers))] * 1e3,
        "hogs_share_of_a_core": share,
    }


async def main() -> None:
    """Run the scenes in turn, print the tables, write the JSON."""
    taken: dict[str, list[dict[str, float]]] = {"idle": [], f"{HOGS} endless loops": []}
    for _ in range(ROUNDS):
        for (_name, rounds), count in zip(taken.items(), (0, HOGS), strict=True):
            rounds.append(await scene(count))
    results: dict[str, Any] = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for name, rounds in taken.items()
    }
    show(table(("beside", *results["idle"]), [(name, *row.values()) for name, row in results.items()]))
    idle, hogs = results.values()
    question = f"beside {HOGS} endless-loop guests"
    above = {key: hogs[key] - idle[key] for key in idle}
    share = hogs["hogs_share_of_a_core"]
    targets = [
        Target(f"heartbeat p99 {question}, above idle", "the same loop idle", above["p99_ms"], TICK_MS, unit="ms"),
        Target(f"outside event to answer p99 {question}", "idle", above["event_p99_ms"], 2 * TICK_MS, unit="ms above"),
        Target("the hogs' share of a core", "all of it", share, 0.95, at_most=False, unit="of a core"),
    ]
    tell("hogs", results, targets)


if __name__ == "__main__":
    run_main(main)
