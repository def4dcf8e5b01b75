"""How many messages a second does one actor take from ten producers? Beside a bare channel and a bare queue.

64 random bytes each. Ours: `tell` of the echo guest, until it has handled all. Peers: an anyio memory channel and an
asyncio queue of the mailbox's capacity, ten tasks that put, one that takes.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable

import anyio

from airssys_wasm import ActorHandle, ActorSystem, ComponentId
from benchmarks.harness import GUESTS, Contestant, Target, figures_of, race, run_main, show, table, tell

PRODUCERS = 10
CAPACITY = 1024
PAYLOAD = os.urandom(64)


async def produce(count: int, put: Callable[[bytes], Awaitable[None]]) -> None:
    """Ten tasks, so many messages together."""

    async def some(number: int) -> None:
        for _ in range(count // PRODUCERS + (number < count % PRODUCERS)):
            await put(PAYLOAD)

    await asyncio.gather(*(some(number) for number in range(PRODUCERS)))


def telling(echo: ActorHandle) -> Contestant:
    """Until all have been handled: an ask comes after them."""

    async def contestant(count: int) -> None:
        await produce(count, echo.tell)
        await echo.ask(PAYLOAD, timeout=None)

    return contestant


async def through_channel(count: int) -> None:
    """A bare anyio memory channel."""
    inlet, outlet = anyio.create_memory_object_stream[bytes](CAPACITY)

    async def consume() -> None:
        for _ in range(count):
            await outlet.receive()

    async with inlet, outlet:
        await asyncio.gather(consume(), produce(count, inlet.send))


async def through_queue(count: int) -> None:
    """A bare asyncio queue."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(CAPACITY)

    async def consume() -> None:
        for _ in range(count):
            await queue.get()

    await asyncio.gather(consume(), produce(count, queue.put))


async def main() -> None:
    """Run, print the tables, write the JSON."""
    async with ActorSystem() as system:
        echo = await system.load(ComponentId("bench", "echo", "0"), GUESTS / "echo.wasm")
        figures = await race({"tell": telling(echo), "channel": through_channel, "queue": through_queue})
    median = {name: figure.median for name, figure in figures.items()}
    show(table(("", "µs a message", "a second"), [(name, took, 1e6 / took) for name, took in median.items()]))
    question = "tell, 64 B, 10 producers: rate"
    tell(
        "tell",
        figures_of(figures),
        [
            Target(question, "bare anyio memory channel", median["channel"] / median["tell"], 2, at_most=False),
            Target(question, "bare asyncio queue", median["queue"] / median["tell"], round(1 / 6, 3), at_most=False),
        ],
    )


if __name__ == "__main__":
    run_main(main)
