"""Does a hostile guest hold the event loop? Gaps of a heartbeat, idle and beside each kind of hog, in one run.

A heartbeat goes round the loop as fast as it can and notes the longest time between two of its turns in each window of
10 ms; an echo actor is asked all the time beside it. Reported for each scene: median, p99 and worst gap in
milliseconds, the echo's answers a second, and how the hog's call ended.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from airssys_wasm import ActorHandle, ActorStopped, ActorSystem, AirssysError, ComponentId, Limits
from benchmarks.harness import GUESTS, QUICK, show, table, write

SCENE_SECONDS = 0.4 if QUICK else 4.0
WINDOW = 0.01
MIB = 1 << 20

SCENES = {
    "idle": (0, b""),
    "endless loop": (1, b"loop"),
    "fills 64 MiB": (1, b"fill 60"),
    "answers 1 MiB": (1, b"huge 1048576"),
    "echoes 1 MiB": (1, b"echo " + b"x" * (MIB - 5)),
    "traps in a loop": (1, b"trap"),
    "log flood": (1, b"log-flood 100000"),
    "100 endless loops": (100, b"loop"),
}
"""How many hogs are asked at once, again and again, and what with."""


class Heartbeat:
    """The longest gap of each window of 10 ms."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._running = True

    async def run(self) -> None:
        """Beat until stopped."""
        last = start = time.perf_counter()
        longest = 0.0
        while self._running:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now
            if now - start >= WINDOW:
                self.gaps.append(longest)
                start, longest = now, 0.0

    def stop(self) -> None:
        """Stop at the next beat."""
        self._running = False

    def figures(self) -> dict[str, float]:
        """Milliseconds."""
        ordered = sorted(self.gaps)
        p50, p99 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.99))
        return {"p50_ms": p50 * 1e3, "p99_ms": p99 * 1e3, "worst_ms": ordered[-1] * 1e3}


async def _ask_for_ever(handle: ActorHandle, payload: bytes, endings: dict[str, int]) -> None:
    while True:
        try:
            await handle.ask(payload, timeout=None)
            ending = "answer"
        except ActorStopped:  # it has crashed too often: an operator who insists
            await handle.restart()
            ending = "revived"
        except AirssysError as exc:
            ending = type(exc.__cause__ or exc).__name__
        endings[ending] = endings.get(ending, 0) + 1
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def _tasks(*coroutines: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def scene(count: int, payload: bytes) -> dict[str, Any]:
    """Run one scene in a system of its own."""
    async with ActorSystem() as system:
        echo = await system.load(ComponentId("bench", "echo", "0"), GUESTS / "echo.wasm")
        limits = Limits(max_execution_time=1.0)
        hogs = [
            await system.load(ComponentId("bench", "hog", str(at)), GUESTS / "hostile.wasm", limits=limits)
            for at in range(count)
        ]
        await echo.ask(b"warm")
        endings: dict[str, int] = {}
        answers: dict[str, int] = {}
        beat = Heartbeat()
        hog_tasks = [_ask_for_ever(hog, payload, endings) for hog in hogs]
        async with _tasks(*hog_tasks, _ask_for_ever(echo, b"x" * 64, answers)):
            beating = asyncio.create_task(beat.run())
            await asyncio.sleep(SCENE_SECONDS)
            beat.stop()
            await beating
        return beat.figures() | {"echo_per_s": answers.get("answer", 0) / SCENE_SECONDS, "hogs_ended": endings}


async def main() -> None:
    """Run every scene, print the table, write the JSON."""
    results = {name: await scene(count, payload) for name, (count, payload) in SCENES.items()}
    rows = [
        (name, row["p50_ms"], row["p99_ms"], row["worst_ms"], row["echo_per_s"], row["hogs_ended"])
        for name, row in results.items()
    ]
    show(table(("beside", "p50 ms", "p99 ms", "worst ms", "echo/s", "hogs ended"), rows))
    show(f"written to {write('gap', results)}")


if __name__ == "__main__":
    asyncio.run(main())
