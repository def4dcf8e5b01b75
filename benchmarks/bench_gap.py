"""Does anything hold the event loop? Gaps of a heartbeat beside hostile guests, and beside long lists and queues.

A heartbeat goes round the loop as fast as it can and notes the longest time between two of its turns in each window of
10 ms; an echo actor is asked all the time beside it. Reported for each scene: median, p99 and worst gap in
milliseconds, the echo's answers a second, and how the hogs' calls ended. A guest's first call with a long list comes on
the event loop, where wasmtime copies the list in one step; that is the worst gap of its scene.
"""

import asyncio
import contextlib
import gc
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from airssys_wasm import (
    ActorHandle,
    ActorState,
    ActorStopped,
    ActorSystem,
    AirssysError,
    ComponentId,
    ComponentMessage,
    Limits,
)
from benchmarks.harness import GUESTS, QUICK, show, table, write
from tests.runtime.test_heavy import Host
from tests.runtime.toys import MANY

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

PAIRS = 100_000
LISTS = {
    "list to a host function": ("send", PAIRS),
    "list from a host function": ("ask", PAIRS),
    "list as an answer": ("make", PAIRS),
    "list as an argument": ("get", [(number, number) for number in range(PAIRS)]),
}
"""Functions that are called again and again, each with or for a list of that many pairs of numbers."""

QUEUED = 20_000
"""Messages of a mailbox that is closed."""

Endings = dict[str, int]
Hog = Coroutine[Any, Any, None]


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


async def hostile(system: ActorSystem, endings: Endings, count: int, payload: bytes) -> list[Hog]:
    """Guests that are asked for ever."""
    limits = Limits(max_execution_time=1.0)
    hogs = [
        await system.load(ComponentId("bench", "hog", str(at)), GUESTS / "hostile.wasm", limits=limits)
        for at in range(count)
    ]
    return [_ask_for_ever(hog, payload, endings) for hog in hogs]


async def lists(system: ActorSystem, endings: Endings, function: str, argument: Any) -> list[Hog]:
    """A guest whose function is called for ever, with a long list or for one."""
    limits, imports = Limits(max_memories=2), {"test:host/many": Host()}
    guest = await system.load(ComponentId("bench", "lists", "0"), MANY, limits=limits, imports=imports)
    for _ in range(10):
        await guest.call("", "send", 1)  # so that it is known for short calls

    async def call() -> None:
        while True:
            await guest.call("", function, argument, timeout=None)
            endings["answer"] = endings.get("answer", 0) + 1

    return [call()]


async def queues(system: ActorSystem, endings: Endings) -> list[Hog]:
    """A full mailbox that is closed, again and again."""
    gate = asyncio.Event()

    async def stuck(_message: ComponentMessage) -> None:
        await gate.wait()

    async def close() -> None:
        limits = Limits(mailbox_capacity=QUEUED)
        for number in itertools.count():
            target = await system.serve(ComponentId("host", "queue", str(number)), stuck, limits=limits)
            for told in range(QUEUED):
                target.tell_nowait(b"x")
                if not told % 100:
                    await asyncio.sleep(0)
            closing = asyncio.create_task(system.unload(target))
            while target.state is ActorState.RUNNING:  # noqa: ASYNC110 - nobody says so
                await asyncio.sleep(0)
            gate.set()
            await closing
            gate.clear()
            endings["closed"] = endings.get("closed", 0) + 1

    return [close()]


async def scene(hogs: Callable[[ActorSystem, Endings], Awaitable[list[Hog]]]) -> dict[str, Any]:
    """Run one scene in a system of its own; what there was before is no business of the garbage collector's."""
    gc.collect()
    gc.freeze()
    async with ActorSystem() as system:
        echo = await system.load(ComponentId("bench", "echo", "0"), GUESTS / "echo.wasm")
        endings: Endings = {}
        answers: Endings = {}
        hog_tasks = await hogs(system, endings)
        await echo.ask(b"warm")
        beat = Heartbeat()
        async with _tasks(*hog_tasks, _ask_for_ever(echo, b"x" * 64, answers)):
            beating = asyncio.create_task(beat.run())
            await asyncio.sleep(SCENE_SECONDS)
            beat.stop()
            await beating
        return beat.figures() | {"echo_per_s": answers.get("answer", 0) / SCENE_SECONDS, "hogs_ended": endings}


async def main() -> None:
    """Run every scene, print the table, write the JSON."""
    scenes = {name: partial(hostile, count=count, payload=payload) for name, (count, payload) in SCENES.items()}
    scenes |= {name: partial(lists, function=function, argument=of) for name, (function, of) in LISTS.items()}
    scenes[f"mailbox of {QUEUED} closed"] = partial(queues)
    results = {name: await scene(hogs) for name, hogs in scenes.items()}
    rows = [
        (name, row["p50_ms"], row["p99_ms"], row["worst_ms"], row["echo_per_s"], row["hogs_ended"])
        for name, row in results.items()
    ]
    show(table(("beside", "p50 ms", "p99 ms", "worst ms", "echo/s", "hogs ended"), rows))
    show(f"written to {write('gap', results)}")


if __name__ == "__main__":
    asyncio.run(main())
